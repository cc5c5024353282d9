//! How often a guest was switched that is about to be killed: its init, which reports that of one that
//! ends by itself, is killed with it.

use std::fs;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::path::Path;

/// So many threads are asked at most, some ten microseconds each: the kill waits for it.
const THREADS_MAX: usize = 64;

/// As getrusage(2) tells them apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Switches {
    pub(super) voluntary: u64,
    pub(super) forced: u64,
}

/// Of the first process of the box that `init`, a pidfd, is pid 1 of: all its threads that are there.
/// `None` where it is gone, or the kernel does not tell (`CONFIG_PROC_CHILDREN`).
pub(super) fn of_guest(init: BorrowedFd<'_>) -> Option<Switches> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", init.as_raw_fd())).ok()?;
    let init = field(&info, "Pid")?;
    let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children")).ok()?;
    // Orphans of the box come behind it (kernel/exit.c, reparent_leader).
    let guest: u64 = children.split_whitespace().next()?.parse().ok()?;
    let threads = fs::read_dir(format!("/proc/{guest}/task")).ok()?;
    let each = threads.flatten().take(THREADS_MAX).filter_map(|thread| of_thread(&thread.path()));
    Some(each.fold(Switches::default(), |sum, one| Switches {
        voluntary: sum.voluntary + one.voluntary,
        forced: sum.forced + one.forced,
    }))
}

fn of_thread(folder: &Path) -> Option<Switches> {
    let status = fs::read_to_string(folder.join("status")).ok()?;
    Some(Switches {
        voluntary: field(&status, "voluntary_ctxt_switches")?,
        forced: field(&status, "nonvoluntary_ctxt_switches")?,
    })
}

/// The number of a `name:\tnumber` line (proc_pid_status(5)).
fn field(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(key, _)| *key == name).and_then(|(_, value)| value.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "Name:\ta:b\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t9\n";
        assert_eq!(field(status, "voluntary_ctxt_switches"), Some(7));
        assert_eq!(field(status, "nonvoluntary_ctxt_switches"), Some(9));
        // Of a process that is gone.
        assert_eq!(field("pos:\t0\nPid:\t-1\n", "Pid"), None);
    }

    #[test]
    fn a_thread_that_waited_has_been_switched() {
        std::thread::park_timeout(std::time::Duration::from_millis(1));
        let own = of_thread(Path::new("/proc/thread-self")).unwrap();
        assert!(own.voluntary > 0, "{own:?}");
    }
}
