//! Withdrawing a run: a flag that can be polled.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::time::Timespec;

/// Shared by whoever runs and whoever may withdraw; once set it stays set.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<OwnedFd>);

impl Cancel {
    /// A flag that is not set.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// Sets the flag: runs that hold it end within milliseconds as `Cancelled`.
    pub fn cancel(&self) {
        // An eventfd write fails only at 2^64 - 1 sets (eventfd(2)), when it is set anyway.
        let _set = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let mut fds = [PollFd::new(&*self.0, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).is_ok_and(|n| n > 0)
    }
}

impl AsFd for Cancel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_flag_stays_set_in_every_copy() {
        let flag = Cancel::new().unwrap();
        let copy = flag.clone();
        assert!(!copy.is_cancelled());
        flag.cancel();
        flag.cancel();
        assert!(copy.is_cancelled() && copy.is_cancelled());
    }
}
