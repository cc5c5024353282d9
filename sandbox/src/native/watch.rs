//! Watching a run: one loop over everything that can happen to it. Output is taken in up to its
//! cap, limits are enforced, and when the loop returns the box is dead.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::time::Timespec;

use super::error::{SlotError, StepError, step};
use super::slot::{Armed, Slot};
use super::socket;
use super::switches::{self, Switches};
use super::termination::Cause;
use super::wire::Done;
use crate::cgroup::Group;
use crate::pressure::Late;
use crate::{Bytes, Cancel, Captured, Limits};

/// How long a killed box may take to be gone.
const DYING: Duration = Duration::from_secs(5);

/// The longest time between two looks at the group: on v1 nothing tells of a child killed for
/// memory.
const LOOK: Duration = Duration::from_millis(50);

/// The shortest time between two looks; what it costs is a read of one small file.
const LOOK_AGAIN: Duration = Duration::from_micros(500);

/// What came of the run.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) done: Option<Done>,
    pub(super) cause: Option<Cause>,
    /// Of a guest that was killed.
    pub(super) switches: Switches,
    pub(super) late: Late,
    pub(super) wall: Duration,
    pub(super) stdout: Captured,
    pub(super) stderr: Captured,
    /// Ends of pipes that nobody needs any more.
    pub(super) ends: Ends,
}

/// Descriptors to be closed: the run's result need not wait for it.
pub(super) type Ends = [Option<OwnedFd>; 4];

/// The ends of the output pipes that are ours; reading them does not block.
#[derive(Debug)]
pub(super) struct Outputs {
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: OwnedFd,
    /// Copies of the guest's ends. As long as they are here no pipe ends, which nobody has to be
    /// woken for: the box ends, too.
    pub(super) guests: [Option<OwnedFd>; 2],
}

/// Watches a run that was just started, to its end.
pub(super) fn watch(
    slot: &Slot<Armed>,
    outputs: Outputs,
    limits: &Limits,
    cancel: &Cancel,
) -> Result<Watched, SlotError> {
    let Outputs { stdout, stderr, guests: [guest_out, guest_err] } = outputs;
    let mut watch = Watch {
        slot,
        limits,
        started: Instant::now(),
        stdout: Stream::new(stdout, limits.output),
        stderr: Stream::new(Some(stderr), limits.stderr),
        done: None,
        killed: None,
        switches: Switches::default(),
        late: Late::default(),
        next_look: Instant::now(),
    };
    watch.until_dead(cancel)?;
    let wall = watch.started.elapsed();
    // Nobody is left who could write: what is in the pipes is all there will be.
    watch.stdout.drain()?;
    watch.stderr.drain()?;
    if watch.stdout.captured.truncated {
        watch.killed = watch.killed.or_else(|| Some((Cause::Output, Instant::now())));
    }
    Ok(Watched {
        done: watch.done,
        cause: watch.killed.map(|(cause, _)| cause),
        switches: watch.switches,
        late: watch.late,
        wall,
        ends: [watch.stdout.fd, watch.stderr.fd, guest_out, guest_err],
        stdout: watch.stdout.captured,
        stderr: watch.stderr.captured,
    })
}

struct Watch<'a> {
    slot: &'a Slot<Armed>,
    limits: &'a Limits,
    started: Instant,
    stdout: Stream,
    stderr: Stream,
    done: Option<Done>,
    /// Why we killed the box, and when.
    killed: Option<(Cause, Instant)>,
    switches: Switches,
    late: Late,
    /// When the group is looked at next.
    next_look: Instant,
}

impl Watch<'_> {
    fn until_dead(&mut self, cancel: &Cancel) -> Result<(), SlotError> {
        loop {
            let now = Instant::now();
            self.enforce(now)?;
            let ready = self.wait(now, cancel)?;
            for source in &ready {
                match source {
                    Source::Stdout if self.stdout.take_in()? => self.kill(Cause::Output),
                    Source::Stderr => _ = self.stderr.take_in()?,
                    Source::Init => self.hear(),
                    Source::Cancel => self.kill(Cause::Cancelled),
                    Source::Stdout => {}
                }
            }
            if ready.contains(&Source::Init) {
                return Ok(());
            }
            // Not before it was asked: whoever asks may have had no CPU for that long.
            if self.killed.is_some_and(|(_, since)| now.duration_since(since) >= DYING) {
                return Err(SlotError::Late { step: "die when it was killed", within: DYING });
            }
        }
    }

    /// Looks at the clock and, when it is time, at the group.
    fn enforce(&mut self, now: Instant) -> Result<(), SlotError> {
        if self.killed.is_some() {
            return Ok(());
        }
        if now.duration_since(self.started) >= self.limits.wall {
            self.kill(Cause::Wall);
        } else if now >= self.next_look {
            self.look(now)?;
        }
        Ok(())
    }

    /// CPU time cannot run out before all CPUs together have burnt what is left: the next look is
    /// then, so that a guest is caught right after it crosses its limit.
    fn look(&mut self, now: Instant) -> Result<(), SlotError> {
        let group: &Group = self.slot.group();
        let limit = self.limits.cpu;
        let (used, left) =
            group.cpu_before(limit, self.limits.processes).map_err(SlotError::Cgroup)?;
        if used >= limit {
            self.kill(Cause::Cpu);
        } else if group.out_of_memory().map_err(SlotError::Cgroup)? {
            self.kill(Cause::Memory);
        }
        self.next_look = now + left.clamp(LOOK_AGAIN, LOOK);
        Ok(())
    }

    /// Kills the box, once; the first cause counts.
    fn kill(&mut self, cause: Cause) {
        if self.killed.is_none() {
            self.killed = Some((cause, Instant::now()));
            // Nobody asks how a run went that was withdrawn.
            if cause != Cause::Cancelled {
                let init = self.slot.phase.init.as_fd();
                self.switches = switches::of_guest(init).unwrap_or_default();
            }
            self.slot.kill();
        }
    }

    /// Takes what init had to say, if anything: it speaks once before it ends, or is killed.
    fn hear(&mut self) {
        let request = self.slot.phase.request.as_fd();
        if !super::slot::readable(request, Duration::ZERO) {
            return;
        }
        let mut message = [0; 64];
        let heard = socket::receive(request, &mut message);
        self.done = heard.ok().and_then(|(length, _)| Done::decode(&message[..length]));
    }

    /// Sleeps until something happens or is due.
    fn wait(&mut self, now: Instant, cancel: &Cancel) -> Result<Vec<Source>, StepError> {
        let due = match self.killed {
            Some((_, since)) => since + DYING,
            None => self.next_look.min(self.started + self.limits.wall),
        };
        // What has nothing more to say is left out: it would be reported unasked, and spin.
        let sources = [
            (Source::Init, Some(self.slot.phase.init.as_fd())),
            (Source::Cancel, self.killed.is_none().then(|| cancel.as_fd())),
            (Source::Stdout, self.stdout.fd.as_ref().map(AsFd::as_fd)),
            (Source::Stderr, self.stderr.fd.as_ref().map(AsFd::as_fd)),
        ];
        let (names, mut fds): (Vec<_>, Vec<_>) = sources
            .into_iter()
            .filter_map(|(name, fd)| Some((name, PollFd::from_borrowed_fd(fd?, PollFlags::IN))))
            .unzip();
        let timeout = Timespec::try_from(due.saturating_duration_since(now)).unwrap_or_default();
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(step("wait for the guest")(e)),
        }
        let ready = names.into_iter().zip(fds).filter(|(_, fd)| !fd.revents().is_empty());
        let ready = ready.map(|(name, _)| name).collect();
        self.late.woke(due.max(now));
        Ok(ready)
    }
}

/// An output pipe and what was kept of it.
struct Stream {
    /// Absent when it is not ours, or has ended.
    fd: Option<OwnedFd>,
    cap: usize,
    captured: Captured,
}

impl Stream {
    fn new(fd: Option<OwnedFd>, cap: Bytes) -> Self {
        let cap = usize::try_from(cap.0).unwrap_or(usize::MAX);
        Self { fd, cap, captured: Captured::default() }
    }

    /// Reads once; true when there is more than the cap. What is beyond the cap is dropped.
    fn take_in(&mut self) -> Result<bool, StepError> {
        self.read().map(|_| self.captured.truncated)
    }

    /// Whether there may be more at once.
    fn read(&mut self) -> Result<bool, StepError> {
        let Some(fd) = &self.fd else { return Ok(false) };
        let mut buffer = [0; 8 << 10];
        match rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut buffer)) {
            Ok(0) => self.fd = None,
            Ok(n) => {
                let room = self.cap - self.captured.bytes.len();
                self.captured.bytes.extend_from_slice(&buffer[..n.min(room)]);
                self.captured.truncated |= n > room;
            }
            Err(Errno::AGAIN) => return Ok(false),
            Err(e) => return Err(step("read the guest's output")(e)),
        }
        Ok(self.fd.is_some())
    }

    /// Reads what there is.
    fn drain(&mut self) -> Result<(), StepError> {
        while self.read()? {}
        Ok(())
    }
}

/// What can happen to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// The box is dead.
    Init,
    /// The caller withdrew the run.
    Cancel,
    /// Output.
    Stdout,
    /// Error output.
    Stderr,
}
