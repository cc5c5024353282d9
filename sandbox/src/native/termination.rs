//! From what was seen of a run to how it ended: one pure function.

use std::time::Duration;

use super::wire::Ending;
use crate::{Limits, Termination};

/// Why the worker killed a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Cancelled,
    Cpu,
    Wall,
    Output,
    Memory,
}

/// All that was seen of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// Absent when the box was killed before its init could report.
    pub(super) ending: Option<Ending>,
    /// What we killed it for, if we did.
    pub(super) cause: Option<Cause>,
    /// Whether the kernel killed for memory.
    pub(super) out_of_memory: bool,
    pub(super) cpu: Duration,
    /// From the guest's exec to its end, if there is an ending; else to that of the box.
    pub(super) wall: Duration,
}

/// `None` when nothing explains why the box is gone: our failure, not the guest's.
pub(super) fn decide(seen: &Seen, limits: &Limits) -> Option<Termination> {
    if seen.cause == Some(Cause::Cancelled) {
        return Some(Termination::Cancelled);
    }
    if seen.cause == Some(Cause::Output) {
        return Some(Termination::OutputLimit);
    }
    // cgroup v2 kills the whole box (memory.oom.group); on v1 one process of it is enough.
    if seen.out_of_memory || seen.cause == Some(Cause::Memory) {
        return Some(Termination::MemoryLimit);
    }
    if seen.cause == Some(Cause::Cpu) || seen.cpu > limits.cpu {
        return Some(Termination::CpuLimit);
    }
    // Whoever watched may have had no CPU meanwhile, and have killed what had ended in time.
    if seen.cause == Some(Cause::Wall) && seen.ending.is_none() || seen.wall > limits.wall {
        return Some(Termination::WallLimit);
    }
    seen.ending.map(|ending| ended(ending.status))
}

fn ended(status: i32) -> Termination {
    if !libc::WIFSIGNALED(status) {
        return Termination::Exited(libc::WEXITSTATUS(status));
    }
    match libc::WTERMSIG(status) {
        // A write beyond RLIMIT_FSIZE (setrlimit(2)).
        libc::SIGXFSZ => Termination::OutputLimit,
        // A call that the filter answers with a kill (seccomp(2)).
        libc::SIGSYS => Termination::ForbiddenCall,
        signal => Termination::Signalled(signal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: i32) -> Seen {
        Seen {
            ending: Some(Ending { status, ..Ending::default() }),
            cause: None,
            out_of_memory: false,
            cpu: Duration::ZERO,
            wall: Duration::ZERO,
        }
    }

    #[test]
    fn each_way_to_end_has_its_row() {
        use Termination as T;
        let limits = Limits::default();
        let second = Duration::from_secs(1);
        let killed = |cause| Seen { cause: Some(cause), ending: None, ..seen(0) };
        let rows = [
            (seen(0), Some(T::Exited(0))),
            (seen(255 << 8), Some(T::Exited(255))),
            (seen(libc::SIGSEGV), Some(T::Signalled(libc::SIGSEGV))),
            (seen(libc::SIGABRT | 0x80), Some(T::Signalled(libc::SIGABRT))),
            (seen(libc::SIGXFSZ), Some(T::OutputLimit)),
            (seen(libc::SIGSYS), Some(T::ForbiddenCall)),
            (Seen { cpu: limits.cpu + second, ..seen(0) }, Some(T::CpuLimit)),
            (Seen { wall: limits.wall + second, ..seen(0) }, Some(T::WallLimit)),
            (Seen { out_of_memory: true, ..seen(libc::SIGKILL) }, Some(T::MemoryLimit)),
            (
                Seen { out_of_memory: true, cpu: limits.cpu + second, ..seen(9) },
                Some(T::MemoryLimit),
            ),
            (killed(Cause::Cpu), Some(T::CpuLimit)),
            (killed(Cause::Wall), Some(T::WallLimit)),
            (Seen { cause: Some(Cause::Wall), wall: limits.wall, ..seen(0) }, Some(T::Exited(0))),
            (
                Seen { cause: Some(Cause::Wall), wall: limits.wall + second, ..seen(0) },
                Some(T::WallLimit),
            ),
            (killed(Cause::Output), Some(T::OutputLimit)),
            (killed(Cause::Memory), Some(T::MemoryLimit)),
            (killed(Cause::Cancelled), Some(T::Cancelled)),
            (Seen { ending: None, ..seen(0) }, None),
        ];
        for (seen, expected) in rows {
            assert_eq!(decide(&seen, &limits), expected, "{seen:?}");
        }
    }
}
