//! The process of an agent, as the worker holds it.

use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{PidfdFlags, pidfd_open};

use super::slot::readable;

/// How long an agent may take to end: by itself, and again once it is killed.
const ENDING: Duration = Duration::from_secs(2);

/// The agent's process.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) control: OwnedFd,
    /// Taken when this is dropped.
    pub(super) child: Option<Child>,
    pub(super) stuck: Arc<Stuck>,
}

impl Agent {
    /// The closed socket tells the agent to end its box and itself. Does not wait for it.
    pub(super) fn dismiss(&self) {
        // Shutdown and not close: the field is dropped later.
        let _told = rustix::net::shutdown(&self.control, rustix::net::Shutdown::Both);
    }
}

impl Drop for Agent {
    /// An agent that does not end when dismissed is killed, and then its box's init dies of
    /// `PR_SET_PDEATHSIG`. One that does not even die then is left to itself.
    fn drop(&mut self) {
        self.dismiss();
        let Some(mut child) = self.child.take() else { return };
        if ends(&mut child) {
            return;
        }
        let _gone = child.kill();
        if !ends(&mut child) {
            self.stuck.add(child);
        }
    }
}

/// Whether a process ends in time; then it is reaped.
fn ends(child: &mut Child) -> bool {
    let pidfd = pidfd_open(rustix::process::Pid::from_child(child), PidfdFlags::empty());
    let deadline = Instant::now() + ENDING;
    loop {
        if !matches!(child.try_wait(), Ok(None)) {
            return true;
        }
        let left = deadline.saturating_duration_since(Instant::now());
        match &pidfd {
            _ if left.is_zero() => return false,
            Ok(pidfd) => _ = readable(pidfd.as_fd(), left),
            // There may be no descriptors left.
            Err(_) => std::thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Agents that were killed and did not die: the kernel keeps them in a call. They are reaped when
/// they are dead.
#[derive(Debug, Default)]
pub(super) struct Stuck(Mutex<Vec<Child>>);

impl Stuck {
    fn lock(&self) -> MutexGuard<'_, Vec<Child>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, child: Child) {
        self.lock().push(child);
    }

    pub(super) fn reap(&self) {
        self.lock().retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.reap();
    }
}
