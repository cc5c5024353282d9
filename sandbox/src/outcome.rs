//! How a run ended and what it cost.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Artefact, Bytes};

/// Why the guest's first process is no more. Limits win over what the kill they cause looks like:
/// a guest killed at its CPU limit is `CpuLimit`, never `Signalled(9)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Termination {
    /// It returned this exit code, 0..=255.
    Exited(i32),
    /// A signal ended it.
    Signalled(i32),
    /// The box used more CPU time than granted.
    CpuLimit,
    /// The clock ran out before the CPU time did.
    WallLimit,
    /// The box needed more memory than granted.
    MemoryLimit,
    /// Standard output or a file grew beyond its limit.
    OutputLimit,
    /// It made a system call that ends the run (`SIGSYS`).
    ForbiddenCall,
    /// The caller withdrew the run through its [`crate::Cancel`].
    Cancelled,
}

/// What the box used, all its processes together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time, user and system.
    pub cpu: Duration,
    /// Time on the clock from start to end.
    pub wall: Duration,
    /// Peak memory.
    pub memory: u64,
    /// Times the first process gave up the CPU by itself (it waited).
    pub switches_voluntary: u64,
    /// Times the kernel took the CPU away from it (others wanted it: a sign of a busy machine).
    pub switches_forced: u64,
    /// What the machine took from it meanwhile.
    pub pressure: Pressure,
}

/// What the machine took from a run. What this kernel does not count is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pressure {
    /// By the hypervisor.
    pub steal: Option<Steal>,
    /// By others on the same CPUs.
    pub stall: Option<Stall>,
    /// By disks: pages of programs are read when they are first used.
    pub disk: Option<Stall>,
    /// How late whoever watched it got to look, at most. A machine that stands still, as while it is
    /// moved, counts no steal.
    pub late: Duration,
}

/// What a hypervisor took of the CPUs that this process may use, all together. Counted in ticks of
/// 10 ms; on a machine of one's own it took nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steal {
    /// Time in which it ran others.
    pub taken: Duration,
    /// Time in which they ran or would have.
    pub wanted: Duration,
}

/// Time that somebody could not run for want of a resource (PSI).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// The box: something of it waited for that, nothing of it ran. Where it has an account of its
    /// own (cgroup v2).
    Box(Duration),
    /// Anybody on the machine.
    Machine(Duration),
}

/// A stream that was kept up to a limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// The first bytes.
    pub bytes: Vec<u8>,
    /// Whether more came than was kept.
    pub truncated: bool,
}

/// A file read from the work directory after the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// As asked for in [`crate::Collect`].
    pub path: PathBuf,
    /// Its bytes, or why it was not read.
    pub contents: Result<Vec<u8>, Refused>,
}

/// Why a file was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is none of that name.
    #[error("missing")]
    Missing,
    /// A link, a folder, a pipe or a device; or a link on the way to it.
    #[error("not a regular file")]
    NotRegular,
    /// Larger than the caller allows.
    #[error("larger than {max}")]
    TooLarge {
        /// What the caller allows.
        max: Bytes,
    },
}

/// One run, over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How it ended.
    pub termination: Termination,
    /// What it used.
    pub usage: Usage,
    /// Standard output; empty when it was a pipe of the caller.
    pub stdout: Captured,
    /// Standard error.
    pub stderr: Captured,
    /// One entry for each [`crate::Collect`], in its order.
    pub files: Vec<Collected>,
}

/// A compilation, over.
#[derive(Debug)]
pub struct Compiled {
    /// How the compiler ended.
    pub outcome: Outcome,
    /// What it left in the work directory; `None` unless it exited with 0.
    pub artefact: Option<Artefact>,
}
