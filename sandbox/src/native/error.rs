//! What can fail in a slot, by its step.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;

use super::uids;
use super::wire::Failure;
use crate::cgroup;
use crate::collect;

/// A step of the worker's own that the kernel refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}")]
pub struct StepError {
    pub(super) step: &'static str,
    #[source]
    pub(super) source: io::Error,
}

/// For `map_err`: names the step.
pub(super) fn step(step: &'static str) -> impl FnOnce(Errno) -> StepError {
    move |e| StepError { step, source: e.into() }
}

/// What can fail in a slot.
#[derive(Debug, thiserror::Error)]
pub enum SlotError {
    /// In this process.
    #[error(transparent)]
    Worker(#[from] StepError),
    /// Between this process and the guest's first instruction.
    #[error("the slot's agent cannot {step}")]
    Agent {
        /// The step.
        step: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The program is not there, or was not executed for a reason that is not in it.
    #[error("cannot execute {program:?} in the box")]
    Exec {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// In the control group.
    #[error("the slot's control group failed")]
    Cgroup(#[source] cgroup::Error),
    /// No user id for it.
    #[error("no user id for the slot")]
    Uids(#[source] uids::Error),
    /// An input file or standard input.
    #[error("cannot place {path:?} in the box")]
    Input {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file could not be read out of the box, through no fault of the guest's.
    #[error("a file cannot be taken out of the box")]
    Collect(#[source] collect::Error),
    /// The artefact could not be taken out of the box.
    #[error("the artefact cannot be taken out of the box")]
    Artefact(#[source] collect::Error),
    /// The agent ended, or said what no agent says.
    #[error("the slot's agent is gone")]
    AgentGone,
    /// The agent or the box did not answer in time.
    #[error("the slot did not {step} within {} s", within.as_secs())]
    Late {
        /// What it should have done.
        step: &'static str,
        /// How long it was waited for.
        within: Duration,
    },
    /// Processes that were still there after the box was dead.
    #[error("{count} processes are left in the slot's control group after the run")]
    Survivors {
        /// How many.
        count: u32,
    },
}

impl From<Failure> for SlotError {
    fn from(Failure { step, errno }: Failure) -> Self {
        Self::Agent { step: step.text(), source: errno.into() }
    }
}
