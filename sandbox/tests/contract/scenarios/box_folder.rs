//! What `/box` shows.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use sandbox::{Artefact, Cancel, Contents, Engine, InputFile, Job, Limits, Sandbox as _};

use super::ensure;
use super::faults::Fragile;
use crate::rig::{Rig, chain};

/// `/box` shows the artefact of the present job, and nothing of those before it.
pub(super) fn box_follows_the_job(rig: &Rig) -> Result<(), Failed> {
    let (a, b) = (artefact(rig, "a")?, artefact(rig, "b")?);
    for wanted in [None, Some(&a), Some(&a), Some(&b), Some(&a), None, Some(&a), None, Some(&b)] {
        let mark = rig.fresh_mark();
        let outcome = rig.run(&mark, shows(&mark, wanted))?.outcome;
        let text = wanted.map_or("", |w| if Arc::ptr_eq(w, &a) { "a" } else { "b" });
        ensure(outcome.stdout.bytes == text.as_bytes(), || {
            format!("{text:?} wanted: {outcome:?}")
        })?;
    }
    Ok(())
}

/// An artefact that is a text.
fn artefact(rig: &Rig, text: &str) -> Result<Arc<Artefact>, Failed> {
    let dir = rig.folder()?;
    let contents = Contents::Memory(Arc::from(text.as_bytes()));
    let file = InputFile { path: "name".into(), contents, executable: false };
    Ok(Arc::new(Artefact::from_files(&dir, &[file])?))
}

/// Says what is at `/box`.
fn shows(mark: &str, artefact: Option<&Arc<Artefact>>) -> Job {
    let argv = ["/bin/sh", "-c", "cat /box/* 2>&-; exit 0", mark].map(str::to_owned);
    let env = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    Job { env, artefact: artefact.cloned(), ..Job::new(argv.to_vec()) }
}

/// A run is killed before its program was started, at whatever step: the next one of its slot has its
/// own artefact at `/box`, also if it is the one that was to be there.
pub(super) fn box_after_a_kill(rig: &Rig) -> Result<(), Failed> {
    if rig.engine() != Engine::Native {
        return Ok(());
    }
    let fragile = Fragile::new(&rig.program("exit_with")?, 1)?;
    let (a, b) = (artefact(rig, "a")?, artefact(rig, "b")?);
    let run = |artefact, cancel: &Cancel, wall| {
        let limits = Limits { wall, ..Limits::default() };
        let job = Job { limits, ..shows(&rig.fresh_mark(), Some(artefact)) };
        fragile.sandbox.run(job, cancel).map_err(|error| chain(&error))
    };
    let shown = |artefact, text: &str, moment: &str| -> Result<(), Failed> {
        let outcome = run(artefact, &Cancel::new()?, Limits::default().wall)?;
        ensure(outcome.stdout.bytes == text.as_bytes(), || {
            format!("{moment}, {text:?} wanted: {outcome:?}")
        })
    };
    let (long, tick) = (Limits::default().wall, Duration::from_millis(1));
    for moment in 0..60 {
        shown(&a, "a", "before")?;
        let cancel = Cancel::new()?;
        let after = Duration::from_micros(20 * moment);
        let (killed, name) = match moment % 6 {
            0 => {
                cancel.cancel();
                (run(&b, &cancel, long), "withdrawn before it".to_owned())
            }
            1 => (run(&b, &cancel, tick), "at the end of its time".to_owned()),
            _ => thread::scope(|scope| {
                scope.spawn(|| {
                    thread::park_timeout(after);
                    cancel.cancel();
                });
                (run(&b, &cancel, long), format!("withdrawn after {after:?}"))
            }),
        };
        killed?;
        shown(&b, "b", &name)?;
    }
    Ok(())
}
