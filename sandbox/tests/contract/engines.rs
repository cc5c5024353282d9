//! Opening the engines, and why one is not there.

use std::path::Path;
use std::sync::Arc;
use std::thread;

use sandbox::{Engine, NativeSandbox, Sandbox, native};

use crate::invariants;
use crate::programs::Programs;
use crate::rig::{Rig, chain};
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

/// Opens an engine for the suite. Where it must not be missing (`CI=true`), a skip is a failure,
/// except that of an isolate that is not installed.
pub(crate) fn open(engine: Engine, programs: &Arc<Programs>) -> Opened {
    if engine == Engine::Isolate && !on_path("isolate") {
        return Opened::Skipped(NOT_INSTALLED);
    }
    if !rustix::process::geteuid().is_root() {
        let strict = std::env::var_os("CI").is_some_and(|v| v == "true");
        return match strict {
            true => Opened::Failed(format!("{NEEDS_ROOT}, and with CI=true nothing is skipped")),
            false => Opened::Skipped(NEEDS_ROOT),
        };
    }
    match new(engine) {
        Ok(sandbox) => {
            let rig = Rig::new(sandbox, Arc::clone(programs));
            match warm_up(&rig) {
                Ok(()) => Opened::Ready(Arc::new(rig)),
                Err(why) => Opened::Failed(format!("the first runs fail: {why}")),
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
        Engine::Isolate => return Err("this build has none".to_owned()),
    })
}

/// As many boxes at once as the suite will use, so that none is made later, in the middle of a
/// case, and taken for something that the case left behind.
fn warm_up(rig: &Rig) -> Result<(), String> {
    let first = || invariants::probe(rig).map_err(|f| f.message().unwrap_or_default().to_owned());
    thread::scope(|scope| {
        let runs: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(first)).collect();
        runs.into_iter().try_for_each(|r| r.join().map_err(|_| "a thread panicked".to_owned())?)
    })
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| Path::new(&folder).join(program).is_file())
}
