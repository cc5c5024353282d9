//! The account of a run behind one that used much.

use std::fs::{self, File};
use std::io::Write;
use std::thread;

use libtest_mimic::Failed;
use rustix::fs::{Advice, fadvise};
use sandbox::{Bytes, Job, Limits, Termination};

use super::{AT_ONCE, ensure};
use crate::rig::Rig;

const GRANTED: u64 = 32;

/// More than is granted, so that it can hide a whole guest.
const CACHED: u64 = 48;

/// What a run held in the kernel is freed behind its death. It must neither be charged to the next
/// run nor raise what the next run is granted.
pub(super) fn memory_of_the_run_before(rig: &Rig) -> Result<(), Failed> {
    let limits = || Limits { memory: Bytes::mib(GRANTED), ..Limits::default() };
    for heavy in ["a10_shared_memory_bomb", "a12_page_tables", "a10_shared_memory_bomb"] {
        let before = rig.program(heavy)?;
        rig.run(&before.mark, Job { limits: limits(), ..before.job(&[]) })?;
        granted_exactly(rig, heavy)?;
    }
    Ok(())
}

/// What a run read of the machine's disk stays in memory, charged to where it was first read. It
/// makes room for the next run, which is granted neither more nor less for it.
pub(super) fn page_cache_of_the_run_before(rig: &Rig) -> Result<(), Failed> {
    let before = rig.program("reread")?;
    let path = before.artefact.dir().join("much");
    let mut file = File::create(&path)?;
    for _ in 0..CACHED {
        file.write_all(&[7; 1 << 20])?;
    }
    file.sync_all()?;
    // As long as it is in memory on our account, it is not charged to the run.
    fadvise(&file, 0, None, Advice::DontNeed)?;
    let job = Job {
        limits: Limits { memory: Bytes::mib(2 * CACHED), ..Limits::default() },
        ..before.job(&["/box/much"])
    };
    let outcome = rig.run(&before.mark, job)?.outcome;
    let said = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
    ensure(said == format!("mib={CACHED}\n"), || format!("the file read: {said:?}"))?;
    let granted = small(rig).and_then(|()| granted_exactly(rig, "a file that was read"));
    // Only now: a file that is gone is not in memory either.
    fs::remove_file(path)?;
    granted
}

/// Runs a program that needs next to nothing, by every account.
fn small(rig: &Rig) -> Result<(), Failed> {
    let after = rig.program("exit_with")?;
    let limits = Limits { memory: Bytes::mib(GRANTED), ..Limits::default() };
    let outcome = rig.run(&after.mark, Job { limits, ..after.job(&["0"]) })?.outcome;
    let fair =
        outcome.termination == Termination::Exited(0) && outcome.usage.memory < Bytes::mib(4).0;
    ensure(fair, || format!("behind a file that was read: {:?}", outcome.usage))
}

/// Boxes that run out of memory at the same moment end one by one, each at its own limit.
pub(super) fn all_boxes_out_of_memory(rig: &Rig) -> Result<(), Failed> {
    for _ in 0..3 {
        let results: Vec<_> = thread::scope(|scope| {
            let one = || granted_exactly(rig, "others that need as much");
            let runs: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(one)).collect();
            runs.into_iter().map(thread::ScopedJoinHandle::join).collect()
        });
        results.into_iter().try_for_each(|r| r.map_err(|_| "a running thread panicked")?)?;
    }
    Ok(())
}

/// Runs a program that touches memory until it is killed.
fn granted_exactly(rig: &Rig, behind: &str) -> Result<(), Failed> {
    let after = rig.program("touch")?;
    let limits = Limits { memory: Bytes::mib(GRANTED), ..Limits::default() };
    let outcome = rig.run(&after.mark, Job { limits, ..after.job(&[]) })?.outcome;
    let said = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
    let last = said.lines().last().and_then(|line| line.strip_prefix("mib="));
    let touched: u64 = last.ok_or("the program says nothing")?.parse()?;
    let fair = outcome.termination == Termination::MemoryLimit
        && (GRANTED - 4..=GRANTED).contains(&touched)
        && (GRANTED - 4..=GRANTED + 1).contains(&(outcome.usage.memory >> 20));
    ensure(fair, || {
        format!(
            "behind {behind}: {touched} MiB touched of {GRANTED}, {:?}, {:?}",
            outcome.termination, outcome.usage
        )
    })
}
