//! How a program ends, told apart exactly.

use std::time::Duration;

use libtest_mimic::Failed;
use sandbox::{Limits, Termination};

use super::none_wrong;
use crate::machine::slowness;
use crate::rig::Rig;

/// Every exit code there is; on a machine that is some times slower, as many times fewer.
pub(super) fn exit_codes(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("exit_with")?;
    let mut wrong = Vec::new();
    for code in (0..=255).step_by(slowness() as usize) {
        let ran = rig.run(&program.mark, program.job(&[&code.to_string()]))?;
        if ran.outcome.termination != Termination::Exited(code) {
            wrong.push(format!("exit code {code} ends as {:?}", ran.outcome.termination));
        }
    }
    none_wrong(&wrong)
}

/// Every signal there is, raised by the program itself.
pub(super) fn signals(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("raise")?;
    let mut wrong = Vec::new();
    for signal in 1..=64 {
        let mut job = program.job(&[&signal.to_string()]);
        job.limits = Limits { wall: Duration::from_millis(300), ..Limits::default() };
        let ended = rig.run(&program.mark, job)?.outcome.termination;
        if !expected(signal).contains(&ended) {
            wrong.push(format!("signal {signal} ends as {ended:?}"));
        }
    }
    none_wrong(&wrong)
}

/// What a signal does by default (signal(7)).
fn expected(signal: i32) -> Vec<Termination> {
    let killed = Termination::Signalled(signal);
    match signal {
        // CHLD, CONT, URG, WINCH.
        17 | 18 | 23 | 28 => vec![Termination::Exited(0)],
        // STOP.
        19 => vec![Termination::WallLimit],
        // TSTP, TTIN, TTOU stop nothing in an orphaned process group, which a box may be
        // (setpgid(2), NOTES).
        20..=22 => vec![Termination::WallLimit, Termination::Exited(0)],
        // XFSZ and SYS are what a file that is too large and a forbidden call end in; the kernel
        // does not tell who sent them.
        25 => vec![Termination::OutputLimit, killed],
        31 => vec![Termination::ForbiddenCall, killed],
        _ => vec![killed],
    }
}
