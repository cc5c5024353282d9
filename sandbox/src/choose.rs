//! Choosing an engine, and saying why.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::isolate::{self, IsolateSandbox};
use crate::native::{self, NativeSandbox, Pinning};
use crate::seam::{BoxedError, Engine, Sandbox};
use crate::{Cancel, Job, Mount, Termination};

/// Which engine the user wants.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Choice {
    /// Native where its self-check passes, else isolate where it is installed, else none.
    #[default]
    Auto,
    /// This one or none.
    Only(Engine),
}

impl FromStr for Choice {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        match name {
            "auto" => Ok(Self::Auto),
            "native" => Ok(Self::Only(Engine::Native)),
            "isolate" => Ok(Self::Only(Engine::Isolate)),
            _ => Err(UnknownEngine(name.to_owned())),
        }
    }
}

/// A name that is no engine's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown engine {0:?}; there are auto, native and isolate")]
pub struct UnknownEngine(String);

/// What an engine is made from, whichever it will be.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// What every box sees beside the base system.
    pub mounts: Vec<Mount>,
    /// Boxes that may exist at once; 0 leaves it to the engine.
    pub boxes: u32,
    /// Boxes to be prepared at once, side by side; 0 leaves it to the first runs.
    pub warm: usize,
    /// Draws the user ids of the native engine's boxes, in a container: its pod's own id.
    pub uid_seed: Option<String>,
    /// A CPU for each slot of the native engine.
    pub pin: Option<Pinning>,
}

/// An engine that passed its check.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The engine.
    pub sandbox: Arc<dyn Sandbox>,
    /// Why this one, in a few words.
    pub why: String,
}

/// Why no engine can be had.
#[derive(Debug, thiserror::Error)]
#[error("{}", Sentence(.0))]
pub struct NoEngine(Vec<(Engine, BoxedError)>);

impl NoEngine {
    /// Each engine that was tried, and why it cannot be.
    #[must_use]
    pub fn reasons(&self) -> &[(Engine, BoxedError)] {
        &self.0
    }
}

struct Sentence<'a>(&'a [(Engine, BoxedError)]);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no sandbox engine works here")?;
        for (engine, why) in self.0 {
            write!(f, "; {engine}: {}", chain(&**why))?;
        }
        Ok(())
    }
}

/// Makes the engine that is wanted, and runs one program in it before it says that it works.
///
/// # Errors
/// Every engine that was tried, with the step that failed.
pub fn choose(choice: Choice, parts: &Parts) -> Result<Chosen, NoEngine> {
    let tried = match choice {
        Choice::Auto => vec![Engine::Native, Engine::Isolate],
        Choice::Only(engine) => vec![engine],
    };
    let mut reasons: Vec<(Engine, BoxedError)> = Vec::new();
    for engine in tried {
        let made = match engine {
            Engine::Native => native(parts),
            Engine::Isolate => isolate(parts),
        };
        match made {
            Ok(mut chosen) => {
                for (other, why) in &reasons {
                    chosen.why =
                        format!("{}; {other} is not possible: {}", chosen.why, chain(&**why));
                }
                return Ok(chosen);
            }
            Err(why) => reasons.push((engine, why)),
        }
    }
    Err(NoEngine(reasons))
}

/// What comes of the engine that was not chosen, in a few words, for whoever wants to know which of
/// them work here: it is made, runs one program and is taken away again. `None` when `why` tells.
#[must_use]
pub fn other(choice: Choice, chosen: Engine, parts: &Parts) -> Option<String> {
    let parts = Parts { boxes: 1, warm: 0, ..parts.clone() };
    let (engine, made) = match chosen {
        Engine::Isolate if choice == Choice::Auto => return None,
        Engine::Isolate => (Engine::Native, native(&parts)),
        Engine::Native => (Engine::Isolate, isolate(&parts)),
    };
    Some(match made {
        Ok(Chosen { why, .. }) => format!("{engine}: {why}"),
        Err(why) => format!("{engine}: {}", chain(&*why)),
    })
}

fn native(parts: &Parts) -> Result<Chosen, BoxedError> {
    let mut config = native::Config {
        mounts: parts.mounts.clone(),
        uid_seed: parts.uid_seed.clone(),
        pin: parts.pin.clone(),
        ..native::Config::default()
    };
    if parts.boxes > 0 {
        config.boxes = parts.boxes;
    }
    let sandbox = NativeSandbox::new(config)?;
    sandbox.warm_up(parts.warm)?;
    let mut why = format!("its self-check passes, with cgroup {}", sandbox.cgroup_version());
    let left = sandbox.left_behind();
    if !left.is_empty() {
        let pids: Vec<_> = left.iter().map(u32::to_string).collect();
        let pids = pids.join(", ");
        why.push_str("; it works around processes of an evalX before it that do not die: ");
        why.push_str(&pids);
    }
    Ok(Chosen { sandbox: Arc::new(checked(sandbox)?), why })
}

fn isolate(parts: &Parts) -> Result<Chosen, BoxedError> {
    if parts.pin.is_some() {
        return Err("it does not pin runs to CPUs (EVALX_PIN)".into());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut config = isolate::Config { mounts: parts.mounts.clone(), ..isolate::Config::new(path) };
    if parts.boxes > 0 {
        config.boxes = parts.boxes;
    }
    let sandbox = IsolateSandbox::new(config)?;
    let why = format!("its self-check passes, {}", sandbox.features());
    Ok(Chosen { sandbox: Arc::new(checked(sandbox)?), why })
}

/// The shortest self-check: a program runs and its exit code arrives. It exercises every step of a
/// run; [`crate::probes`] shows besides that each limit holds.
fn checked<S: Sandbox>(sandbox: S) -> Result<S, BoxedError> {
    let job = Job::new(["/bin/sh", "-c", "exit 7"].map(str::to_owned).to_vec());
    let outcome = sandbox.run(job, &Cancel::new()?)?;
    match outcome.termination {
        Termination::Exited(7) => Ok(sandbox),
        other => {
            Err(format!("the self-check's program ended with {other:?}, not with exit code 7")
                .into())
        }
    }
}

/// An error with its causes, on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut causes: Vec<_> =
        std::iter::successors(Some(error), |e| e.source()).map(ToString::to_string).collect();
    // A transparent error says what its source says.
    causes.dedup();
    causes.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_have_names() {
        assert_eq!("auto".parse(), Ok(Choice::Auto));
        assert_eq!("isolate".parse(), Ok(Choice::Only(Engine::Isolate)));
        assert!("docker".parse::<Choice>().unwrap_err().to_string().contains("native"));
    }

    #[test]
    fn every_reason_is_told_with_its_causes() {
        let why: BoxedError = Box::new(crate::native::Error::NotRoot);
        let error =
            NoEngine(vec![(Engine::Native, why), (Engine::Isolate, "not installed".into())]);
        let text = error.to_string();
        assert!(text.contains("native: the native engine needs root"), "{text}");
        assert!(text.ends_with("isolate: not installed"), "{text}");
    }
}
