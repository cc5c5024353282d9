//! Withdrawing a run: a flag that can be polled.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{EventfdFlags, PollFd, PollFlags, epoll, eventfd, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

/// Shared by whoever runs and whoever may withdraw; once set it stays set.
#[derive(Debug, Clone)]
pub struct Cancel(Arc<Flag>);

#[derive(Debug)]
struct Flag {
    own: OwnedFd,
    inherited: Option<Inherited>,
}

/// An epoll instance that is readable once the own flag or the parent's is (epoll(7)); the parent
/// is held because a closed descriptor leaves its epoll sets.
#[derive(Debug)]
struct Inherited {
    either: OwnedFd,
    _parent: Cancel,
}

impl Cancel {
    /// A flag that is not set.
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub fn new() -> io::Result<Self> {
        let own = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(Flag { own, inherited: None })))
    }

    /// A flag that is set when this one is, and can be set without setting this one. Children of
    /// children work down to the fourth generation (epoll(7): at most 5 nested sets).
    ///
    /// # Errors
    /// When the process is out of file descriptors.
    pub fn child(&self) -> io::Result<Self> {
        let own = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let either = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        for flag in [own.as_fd(), self.as_fd()] {
            epoll::add(&either, flag, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        }
        let inherited = Some(Inherited { either, _parent: self.clone() });
        Ok(Self(Arc::new(Flag { own, inherited })))
    }

    /// Sets the flag: runs that hold it end within milliseconds as `Cancelled`.
    pub fn cancel(&self) {
        // An eventfd write fails only at 2^64 - 1 sets (eventfd(2)), when it is set anyway.
        let _set = rustix::io::write(&self.0.own, &1u64.to_ne_bytes());
    }

    /// Whether the flag is set.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        let mut fds = [PollFd::new(self, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec::default())).is_ok_and(|n| n > 0)
    }

    /// Blocks until one of the flags is set.
    ///
    /// # Errors
    /// When the kernel is out of memory (poll(2)).
    pub fn wait_any(flags: &[&Self]) -> io::Result<()> {
        Self::wait_any_until(flags, None)
    }

    /// The same, but for no longer than until `deadline`, if there is one.
    ///
    /// # Errors
    /// When the kernel is out of memory (poll(2)).
    pub fn wait_any_until(flags: &[&Self], deadline: Option<Instant>) -> io::Result<()> {
        let mut fds: Vec<_> = flags.iter().map(|f| PollFd::new(*f, PollFlags::IN)).collect();
        loop {
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let left = left.map(|left| Timespec::try_from(left).unwrap_or_default());
            match poll(&mut fds, left.as_ref()) {
                Err(Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
                Ok(_) => return Ok(()),
            }
        }
    }
}

impl AsFd for Cancel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.0.inherited {
            Some(inherited) => inherited.either.as_fd(),
            None => self.0.own.as_fd(),
        }
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
    #[test]
    fn a_child_is_set_with_its_parent_and_never_the_other_way_round() {
        let parent = Cancel::new().unwrap();
        let (one, two) = (parent.child().unwrap(), parent.child().unwrap());
        let grandchild = one.child().unwrap();
        one.cancel();
        assert!(one.is_cancelled() && grandchild.is_cancelled());
        assert!(!parent.is_cancelled() && !two.is_cancelled());
        parent.cancel();
        assert!(two.is_cancelled());
        assert!(parent.child().unwrap().is_cancelled(), "born set");
    }

    #[test]
    fn waiting_ends_when_any_flag_is_set() {
        let (one, two) = (Cancel::new().unwrap(), Cancel::new().unwrap());
        std::thread::scope(|s| {
            s.spawn(|| two.child().unwrap().cancel());
            s.spawn(|| two.cancel());
            Cancel::wait_any(&[&one, &two]).unwrap();
        });
        assert!(two.is_cancelled() && !one.is_cancelled());
    }
}
