//! Runs one hostile program under limits and says what happened.
//!
//! One seam, [`Sandbox`], and two engines behind it. A [`Job`] says what to run and under which
//! [`Limits`]; an [`Outcome`] says how it ended and what it cost. A guest that fails is a result;
//! an [`Error`] is always our own failure and names the step.
//!
//! Blocking by design: a caller that is asynchronous gives each run a thread of its blocking pool.

mod artefact;
mod cancel;
pub mod cgroup;
mod choose;
mod collect;
pub mod isolate;
mod job;
mod limits;
pub mod native;
mod outcome;
mod pressure;
mod seam;
mod sys;

pub use artefact::{Artefact, ArtefactError};
pub use cancel::Cancel;
pub use choose::{Choice, Chosen, NoEngine, Parts, UnknownEngine, choose, other};
pub use isolate::IsolateSandbox;
pub use job::{Collect, Contents, Env, InputFile, Job, JobError, Mount, Stdin, Stdout};
pub use limits::{Bytes, LimitError, Limits};
pub use native::{NativeSandbox, Pinning, Probe, TooFewCpus, agent, probes};
pub use outcome::{
    Captured, Collected, Compiled, Outcome, Pressure, Refused, Stall, Steal, Termination, Usage,
};
pub use seam::{BoxedError, Engine, Error, Sandbox};
pub use sys::process::yield_the_disk;
