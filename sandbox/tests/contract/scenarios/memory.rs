//! The account of a run behind one that used much.

use libtest_mimic::Failed;
use sandbox::{Bytes, Job, Limits, Termination};

use super::ensure;
use crate::rig::Rig;

const GRANTED: u64 = 32;

/// What a run held in the kernel is freed behind its death. It must neither be charged to the next
/// run nor raise what the next run is granted.
pub(super) fn memory_of_the_run_before(rig: &Rig) -> Result<(), Failed> {
    let limits = || Limits { memory: Bytes::mib(GRANTED), ..Limits::default() };
    for heavy in ["a10_shared_memory_bomb", "a12_page_tables", "a10_shared_memory_bomb"] {
        let before = rig.program(heavy)?;
        rig.run(&before.mark, Job { limits: limits(), ..before.job(&[]) })?;
        let after = rig.program("touch")?;
        let job = Job { limits: limits(), ..after.job(&[]) };
        let outcome = rig.run(&after.mark, job)?.outcome;
        let said = String::from_utf8_lossy(&outcome.stdout.bytes).into_owned();
        let last = said.lines().last().and_then(|line| line.strip_prefix("mib="));
        let touched: u64 = last.ok_or("the program says nothing")?.parse()?;
        let fair = outcome.termination == Termination::MemoryLimit
            && (GRANTED - 4..=GRANTED).contains(&touched)
            && (GRANTED - 4..=GRANTED + 1).contains(&(outcome.usage.memory >> 20));
        ensure(fair, || {
            format!(
                "behind {heavy}: {touched} MiB touched of {GRANTED}, {:?}, {:?}",
                outcome.termination, outcome.usage
            )
        })?;
    }
    Ok(())
}
