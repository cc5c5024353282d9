//! Withdrawing runs, and jobs that are none.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Signal, kill_process};
use sandbox::{Bytes, Cancel, Collect, Engine, Error, Job, Limits, Sandbox as _, Termination};

use super::ensure;
use super::faults::Fragile;
use crate::invariants::{Before, alive, within};
use crate::machine::at_most;
use crate::rig::{Rig, chain};

/// From the flag to the end of the call, all processes dead.
const PROMPT: Duration = Duration::from_millis(100);

/// A large family in full swing is gone within 100 ms.
pub(super) fn cancel_in_a_run(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("tree")?;
    let cancel = Cancel::new()?;
    let (ran, cancelled) = thread::scope(|scope| {
        let other = scope.spawn(|| {
            let up = within(Duration::from_secs(5), || alive(&program.mark).len() >= 5);
            let at = Instant::now();
            cancel.cancel();
            up.then_some(at)
        });
        let start = Instant::now();
        let ran = rig.run_until(&program.mark, program.job(&[]), &cancel);
        (ran.map(|ran| (start + ran.took, ran)), other.join())
    });
    let (end, ran) = ran?;
    let at = cancelled.map_err(|_| "the cancelling thread panicked")?;
    let at = at.ok_or("the program's family did not show up")?;
    ensure(ran.outcome.termination == Termination::Cancelled, || format!("{:?}", ran.outcome))?;
    let took = end.saturating_duration_since(at);
    ensure(took <= at_most(PROMPT), || format!("ended {took:?} after it was cancelled"))
}

/// A run that was cancelled before it began ends at once.
pub(super) fn cancel_before_a_run(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("tree")?;
    let cancel = Cancel::new()?;
    cancel.cancel();
    let ran = rig.run_until(&program.mark, program.job(&[]), &cancel)?;
    ensure(ran.outcome.termination == Termination::Cancelled, || format!("{:?}", ran.outcome))?;
    ensure(ran.took <= at_most(PROMPT), || format!("took {:?}", ran.took))
}

/// A run that is cancelled while it waits for its box ends at once, too, and the box is for the next one.
pub(super) fn cancel_while_arming(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let program = rig.program("exit_with")?;
    let fragile = Fragile::new(&program, 1)?;
    Before::settled()?;
    let agent = fragile.agent()?;
    kill_process(agent, Signal::STOP)?;
    // It takes the box that is there.
    fragile.works(&program)?;
    let withdrawn = Cancel::new()?;
    withdrawn.cancel();
    let ran = fragile.sandbox.run(program.job(&["0"]), &withdrawn);
    let ended = ran.as_ref().is_ok_and(|ran| ran.termination == Termination::Cancelled);
    ensure(ended, || format!("while there is no box it gives {ran:?}"))?;
    let cancel = Cancel::new()?;
    let (ran, took) = thread::scope(|scope| {
        let other = scope.spawn(|| {
            // The valet has given it up by then.
            thread::park_timeout(at_most(Duration::from_millis(500)));
            cancel.cancel();
            Instant::now()
        });
        let ran = fragile.sandbox.run(program.job(&["0"]), &cancel);
        let end = Instant::now();
        (ran, other.join().map(|at| end.saturating_duration_since(at)))
    });
    kill_process(agent, Signal::CONT)?;
    let took = took.map_err(|_| "the cancelling thread panicked")?;
    let ended = ran.as_ref().is_ok_and(|ran| ran.termination == Termination::Cancelled);
    ensure(ended && took <= at_most(PROMPT), || format!("{ran:?} after {took:?}"))?;
    fragile.works(&program)?;
    ensure(fragile.agent()? == agent, || "the slot is another one".to_owned())
}

/// The same addresses in every run where that is asked for (native), else others each time, on a
/// machine that makes them so.
pub(super) fn addresses(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("addresses")?;
    let said = |fixed_addresses| {
        let job = Job { fixed_addresses, ..program.job(&[]) };
        let outcome = rig.run(&program.mark, job)?.outcome;
        ensure(outcome.termination == Termination::Exited(0), || format!("{outcome:?}"))?;
        Ok::<_, Failed>(String::from_utf8_lossy(&outcome.stdout.bytes).into_owned())
    };
    let (fixed, again) = (said(true)?, said(true)?);
    let differ = || format!("{fixed}differs from\n{again}");
    ensure(fixed == again || rig.engine() == Engine::Isolate, differ)?;
    let (free, other) = (said(false)?, said(false)?);
    let random = fs::read_to_string("/proc/sys/kernel/randomize_va_space")?.trim() == "2";
    ensure(!random || free != other, || format!("both times\n{free}"))
}

/// What cannot be run is our caller's error, and the engine works on.
pub(super) fn refused_jobs(rig: &Rig) -> Result<(), Failed> {
    let program = rig.program("exit_with")?;
    let plain = || program.job(&[]);
    let limited = |limits| Job { limits, ..plain() };
    let jobs = [
        ("no program", Job::new(Vec::new())),
        ("a relative program", Job::new(vec!["main".to_owned()])),
        ("a NUL", program.job(&["a\0b"])),
        ("a name with =", Job { env: vec![("A=B".to_owned(), String::new())], ..plain() }),
        ("no CPU time", limited(Limits { cpu: Duration::ZERO, ..Limits::default() })),
        ("too much memory", limited(Limits { memory: Bytes(u64::MAX), ..Limits::default() })),
        ("no processes", limited(Limits { processes: 0, ..Limits::default() })),
        (
            "a path that leaves",
            Job { collect: vec![Collect { path: "../x".into(), max: Bytes(1) }], ..plain() },
        ),
    ];
    for (what, job) in jobs {
        match rig.sandbox().run(job, &Cancel::new()?) {
            Err(Error::Job(_)) => {}
            other => return Err(format!("{what} gives {other:?}").into()),
        }
    }
    // A program that is missing, is no program or may not be executed is no result of a guest.
    let dir = program.artefact.dir();
    fs::write(dir.join("text"), "no program")?;
    for name in ["none", "text", "none/none"] {
        let mut job = plain();
        job.argv[0] = format!("/box/{name}");
        match rig.sandbox().run(job, &Cancel::new()?) {
            Err(error) if chain(&error).contains(name) => {}
            other => return Err(format!("the program {name} gives {other:?}").into()),
        }
    }
    Ok(())
}
