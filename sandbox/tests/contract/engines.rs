//! Opening the engines, and why one is not there.

use std::io::pipe;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use libtest_mimic::Failed;
use sandbox::{Engine, IsolateSandbox, Job, NativeSandbox, Sandbox, Stdin, isolate, native};

use crate::invariants::{self, Before};
use crate::programs::Programs;
use crate::rig::{Rig, Staged, chain};
use crate::scenarios::AT_ONCE;

/// What became of an engine.
#[derive(Debug, Clone)]
pub(crate) enum Opened {
    Ready(Arc<Rig>),
    /// Its cases are counted as skipped.
    Skipped(&'static str),
    /// Its cases fail.
    Failed(String),
    /// No case of it was asked for.
    Unwanted,
}

const NEEDS_ROOT: &str = "needs root";
const NOT_INSTALLED: &str = "isolate is not installed";

/// Why an engine cannot be opened here, if so. Where it must not be missing (`CI=true`), a skip is
/// a failure, except that of an isolate that is not installed.
pub(crate) fn absent(engine: Engine) -> Option<Opened> {
    if engine == Engine::Isolate && !on_path("isolate") {
        return Some(Opened::Skipped(NOT_INSTALLED));
    }
    if rustix::process::geteuid().is_root() {
        return None;
    }
    let strict = std::env::var_os("CI").is_some_and(|v| v == "true");
    Some(match strict {
        true => Opened::Failed(format!("{NEEDS_ROOT}, and with CI=true nothing is skipped")),
        false => Opened::Skipped(NEEDS_ROOT),
    })
}

/// Opens an engine that is not absent.
pub(crate) fn open(engine: Engine, programs: &Arc<Programs>) -> Opened {
    match new(engine) {
        Ok(sandbox) => {
            let mut rig = Rig::new(sandbox, Arc::clone(programs));
            match warm_up(&rig) {
                Ok((residents, descriptors)) => {
                    (rig.residents, rig.descriptors) = (residents, descriptors);
                    Opened::Ready(Arc::new(rig))
                }
                Err(why) => Opened::Failed(format!(
                    "the first runs fail: {}",
                    why.message().unwrap_or_default()
                )),
            }
        }
        Err(why) => Opened::Failed(format!("the {engine} engine does not start: {why}")),
    }
}

/// An engine as a caller makes it who has no wishes.
pub(crate) fn new(engine: Engine) -> Result<Box<dyn Sandbox>, String> {
    Ok(match engine {
        Engine::Native => {
            Box::new(NativeSandbox::new(native::Config::default()).map_err(|e| chain(&e))?)
        }
        Engine::Isolate => {
            let path = std::env::var_os("PATH").unwrap_or_default();
            let config = isolate::Config::new(path);
            Box::new(IsolateSandbox::new(config).map_err(|e| chain(&e))?)
        }
    })
}

/// As many boxes at once as the suite will use, so that none is made later, in the middle of a
/// case, and taken for something that the case left behind. Returns how many processes the idle
/// engine keeps in its control groups, and how many descriptors this process has then.
fn warm_up(rig: &Rig) -> Result<(usize, usize), Failed> {
    let programs = (0..AT_ONCE).map(|_| rig.program("cat")).collect::<Result<Vec<_>, _>>()?;
    thread::scope(|scope| {
        let (mut runs, mut open) = (Vec::new(), Vec::new());
        for program in &programs {
            let (stdin, until) = pipe()?;
            open.push(until);
            let job = Job { stdin: Stdin::Pipe(stdin.into()), ..program.job(&[]) };
            runs.push(scope.spawn(|| rig.run(&program.mark, job)));
        }
        let up = |p: &Staged| !invariants::alive(&p.mark).is_empty();
        let all = invariants::within(Duration::from_secs(10), || programs.iter().all(up));
        drop(open);
        for run in runs {
            run.join().map_err(|_| "a thread panicked")??;
        }
        if all { Ok(()) } else { Err(Failed::from(format!("{AT_ONCE} boxes do not run at once"))) }
    })?;
    let mut most = 0;
    invariants::within(Duration::from_millis(100), || {
        most = most.max(invariants::residents().unwrap_or_default());
        false
    });
    Ok((most, Before::at_rest()?))
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}
