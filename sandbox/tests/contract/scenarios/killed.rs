//! A worker that dies of SIGKILL in the middle of a run.

use std::time::Duration;

use libtest_mimic::Failed;

use super::ensure;
use crate::invariants::{alive, nothing_left_of, within};
use crate::rig::Rig;
use crate::victim::Victim;

/// The promise: no guest outlives its worker by more.
const GONE: Duration = Duration::from_secs(1);

/// Kills another process with a run in it: its guests die with it, and the next start of an
/// engine removes what was left.
pub(super) fn killed_worker(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("tree")?;
    let mut victim = Victim::start(rig.engine(), &program, &[])?;
    let up = within(Duration::from_secs(10), || alive(&program.mark).len() >= 5);
    let owner = victim.id();
    victim.kill()?;
    ensure(up, || "the victim's guests did not show up".to_owned())?;
    let mut left = Vec::new();
    let gone = within(GONE, || {
        left = alive(&program.mark);
        left.is_empty()
    });
    ensure(gone, || format!("outlived their worker by {GONE:?}: {}", left.join("; ")))?;

    let program = rig.program("exit_with")?;
    let mut next = Victim::start(rig.engine(), &program, &["0"])?;
    let heir = next.id();
    ensure(next.ends_well()?, || "the next start of an engine does not work".to_owned())?;
    nothing_left_of(owner)?;
    nothing_left_of(heir)
}
