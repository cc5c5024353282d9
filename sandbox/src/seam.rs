//! The seam between evalX and its two engines.

use std::fmt;
use std::path::Path;

use crate::{Cancel, Compiled, Job, JobError, Outcome};

/// Which engine runs the boxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// The slot engine of this crate.
    Native,
    /// The `isolate` program.
    Isolate,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Isolate => "isolate",
        })
    }
}

/// Runs boxes. Calls block; as many run at once as there are callers, each in a box of its own.
/// Whatever happens, when a call returns no process of its box is alive.
pub trait Sandbox: Send + Sync + fmt::Debug {
    /// Which engine this is.
    fn engine(&self) -> Engine;

    /// Runs a compiler. When it exits with 0, what it left below `/w` (regular files and folders
    /// only) is moved into `into`, an empty folder of this machine, as the artefact.
    ///
    /// # Errors
    /// Our own failure, with its step; a compiler that fails is an outcome.
    fn compile(&self, job: Job, into: &Path, cancel: &Cancel) -> Result<Compiled, Error>;

    /// Runs a program.
    ///
    /// # Errors
    /// Our own failure, with its step; a program that fails is an outcome.
    fn run(&self, job: Job, cancel: &Cancel) -> Result<Outcome, Error>;
}

/// The error of an engine, which knows its steps.
pub type BoxedError = Box<dyn std::error::Error + Send + Sync>;

/// Our own failing. Never caused by what a guest does.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The job cannot be run by any engine; retrying does not help.
    #[error("the job cannot be run")]
    Job(#[source] JobError),
    /// The engine failed; another slot or another worker may succeed.
    #[error("the {engine} engine failed")]
    Engine {
        /// Which one.
        engine: Engine,
        /// The step that failed.
        #[source]
        source: BoxedError,
    },
}
