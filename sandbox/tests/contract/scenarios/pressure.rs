//! What a run's account tells of the machine, and of a program that was killed.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use rustix::fs::{Advice, fadvise};
use sandbox::{Engine, Job, Limits, Stall, Termination, Usage};

use super::{AT_ONCE, ensure};
use crate::machine::in_time;
use crate::rig::Rig;

const CPU: Duration = Duration::from_millis(300);

const WALL: Duration = Duration::from_secs(20);

/// A program that had to share its CPU was told to have waited: itself where its group has an account
/// of that (v2), else somebody on the machine; and nobody where the kernel does not count it.
///
/// On v2 a box has the share of a group, however many threads of ours there are: so it is boxes that
/// share. That they have to is certain where there are twice as many as CPUs.
pub(super) fn waits_for_a_cpu(rig: &Rig) -> Result<(), Failed> {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let over = AtomicBool::new(false);
    let accounts: Vec<_> = thread::scope(|scope| {
        for _ in 0..2 * cpus {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let boxes: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| account(rig))).collect();
        let accounts = boxes.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        accounts
    });
    for account in accounts {
        let usage = account.map_err(|_| "a running thread panicked")??;
        let wanted = usage.pressure.steal.ok_or("every Linux counts steal")?.wanted;
        ensure(wanted >= CPU / 2, || format!("the CPUs were busy for {wanted:?} only"))?;
        let much = |waited| 2 * cpus > AT_ONCE || waited > usage.wall / 10;
        ensure(told(usage.pressure.stall, "cpu", much), || format!("{usage:?}"))?;
    }
    Ok(())
}

/// Megabytes that a program reads, and the blocks of 512 bytes of half of them.
const MIB: usize = 32;
const BLOCKS: usize = (MIB / 2) << 11;

/// A program that read from a disk was told to have waited for it, in the same way.
pub(super) fn waits_for_a_disk(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("reads")?;
    let mut file = File::create(program.artefact.dir().join("much"))?;
    for _ in 0..MIB {
        file.write_all(&[7; 1 << 20])?;
    }
    file.sync_all()?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    let outcome = rig.run(&program.mark, program.job(&["/box/much"]))?.outcome;
    let blocks: usize = String::from_utf8_lossy(&outcome.stdout.bytes).trim().parse()?;
    // Where files are in memory nobody waits for them.
    let much = |waited| blocks < BLOCKS || waited > Duration::ZERO;
    let right = told(outcome.usage.pressure.disk, "io", much);
    ensure(right, || format!("{blocks} blocks: {:?}", outcome.usage))
}

/// Whether the account that there has to be, of `resource`, says that `much` was waited.
fn told(stall: Option<Stall>, resource: &str, much: impl Fn(Duration) -> bool) -> bool {
    let v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    match stall {
        Some(Stall::Box(waited)) => v2 && much(waited),
        Some(Stall::Machine(waited)) => !v2 && much(waited),
        None => !Path::new("/proc/pressure").join(resource).exists(),
    }
}

/// How often a program waited is counted also where it was killed, and so cannot be asked any more.
/// isolate asks.
pub(super) fn switches_of_the_killed(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("naps")?;
    let limits = in_time(Limits { wall: CPU, ..Limits::default() });
    let outcome = rig.run(&program.mark, Job { limits, ..program.job(&[]) })?.outcome;
    let counted = outcome.usage.switches_voluntary > 20;
    ensure(outcome.termination == Termination::WallLimit && counted, || format!("{outcome:?}"))
}

/// Of a program that computes until it is killed.
fn account(rig: &Rig) -> Result<Usage, Failed> {
    let program = rig.program("p_cpu_limit")?;
    let limits = in_time(Limits { cpu: CPU, wall: WALL, ..Limits::default() });
    let outcome = rig.run(&program.mark, Job { limits, ..program.job(&[]) })?.outcome;
    ensure(outcome.termination == Termination::CpuLimit, || format!("{outcome:?}"))?;
    Ok(outcome.usage)
}
