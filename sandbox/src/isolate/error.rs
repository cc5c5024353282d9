//! Why the engine cannot be made, and the steps of a run that can fail.

use std::ops::Range;

use super::{argv, boxes, command, layout, probe, run, streams, verdict, workdir};
use crate::Termination;
use crate::collect;
use crate::native::filter;

/// Why the engine cannot be made, or the step of a run that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// isolate is not there, or not usable.
    #[error("isolate is not usable")]
    Probe(#[source] probe::Error),
    /// The system call policy does not compile.
    #[error("no system call filter for the boxes")]
    Filter(#[source] filter::Error),
    /// What boxes see cannot be made.
    #[error("cannot make what boxes see")]
    Layout(#[source] layout::Error),
    /// The range of box ids is not isolate's.
    #[error("box ids {}..{} are not among isolate's 0..{known}", given.start, given.end)]
    Range {
        /// As given.
        given: Range<u32>,
        /// How many isolate has.
        known: u32,
    },
    /// A box does not do what it must.
    #[error("a trial run of /bin/true ended as {termination:?}: {errors:?}")]
    Trial {
        /// How it ended.
        termination: Termination,
        /// What it said.
        errors: String,
    },
    /// No box to be had.
    #[error("no box")]
    Box(#[source] boxes::Error),
    /// The program is not in the box.
    #[error("{program:?} is not an executable file inside the box")]
    Program {
        /// As the job has it.
        program: String,
    },
    /// The artefact's path.
    #[error("the artefact cannot be mounted")]
    Artefact(#[source] argv::Unspeakable),
    /// Standard streams.
    #[error("cannot prepare the standard streams")]
    Streams(#[source] streams::Error),
    /// The work folder.
    #[error("the work folder failed")]
    Work(#[source] workdir::Error),
    /// What a program or a compiler left.
    #[error("what is left in the box cannot be taken out of it")]
    Collect(#[source] collect::Error),
    /// `--init` or `--cleanup` could not be run.
    #[error("box {id} failed")]
    Command {
        /// The box.
        id: u32,
        /// Why.
        #[source]
        source: command::Error,
    },
    /// `--init` or `--cleanup` failed.
    #[error("isolate {command} of box {id} failed ({exit}): {said:?}")]
    Said {
        /// Which.
        command: &'static str,
        /// The box.
        id: u32,
        /// How isolate ended.
        exit: String,
        /// What it said.
        said: String,
    },
    /// Each box is in use by another isolate.
    #[error("all boxes are in use by others")]
    AllBusy,
    /// `--run` failed.
    #[error("the run in box {id} failed")]
    Run {
        /// The box.
        id: u32,
        /// Why.
        #[source]
        source: run::Error,
    },
    /// isolate did not report a result.
    #[error("the run in box {id} has no result")]
    Verdict {
        /// The box.
        id: u32,
        /// Why.
        #[source]
        source: verdict::Error,
    },
}

impl Error {
    /// Whether another box may do better: not when the job or this process is at fault.
    pub(super) fn may_differ_elsewhere(&self) -> bool {
        matches!(
            self,
            Self::Run { .. } | Self::Verdict { .. } | Self::Said { .. } | Self::Command { .. }
        )
    }
}
