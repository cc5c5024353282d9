//! One `isolate --run`: start it, keep what the guest says, watch the limits more closely than
//! isolate does, end the run when one is reached, and see to it that nothing stays alive.

use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, open, openat};
use rustix::process::{Signal, pidfd_send_signal};

use super::argv::Command;
use super::command::{self, Surroundings, read_some, reap, start, step, wait};
use super::meta::{self, Meta};
use super::streams::Opened;
use super::survivors;
use super::verdict::{Exit, Stop};
use super::workdir::Work;
use crate::cgroup::{self, Entry, Group};
use crate::native::filter::Op;
use crate::pressure::Late;
use crate::{Bytes, Cancel, Captured, Limits, Pressure, pressure};

/// How long isolate has to take down a box that we ended, and output to come to its end.
const GRACE: Duration = Duration::from_secs(2);

/// How often the accounts of a box are read: at least this often, because a process that ran out
/// of memory ends the run; and not more often than this, near the CPU limit.
const LOOK: std::ops::Range<Duration> = Duration::from_millis(1)..Duration::from_millis(25);

/// How soon a box that we ended is killed again.
const AGAIN: Duration = Duration::from_millis(5);

/// isolate takes this long, and rarely longer, to make a box before the guest's clock starts. A run
/// that ends within it is judged by that clock.
const SET_UP: Duration = Duration::from_millis(20);

/// A meta file is a dozen short lines.
const META_MAX: u64 = 64 << 10;

/// isolate's keeper and the guest's process 1.
pub(super) const RESIDENTS: u32 = 2;

/// A step of ours failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// isolate was not started, or a call on our own descriptors failed.
    #[error("cannot run isolate")]
    Run(#[source] command::Error),
    /// The control group of the box.
    #[error("the control group of the box failed")]
    Group(#[source] cgroup::Error),
    /// Opening the files through which it joins the group.
    #[error("cannot open the control group's list of processes")]
    Procs(#[source] std::io::Error),
    /// The meta file, which is in our memory.
    #[error("cannot read the meta file")]
    Meta(#[source] std::io::Error),
    /// isolate does not die.
    #[error("isolate is still alive after it was killed")]
    Stuck,
    /// Something of the box stays.
    #[error("the box does not end")]
    Survivors(#[source] survivors::Error),
}

/// What isolate itself uses of a group, to be counted neither for nor against a guest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Overhead {
    pub(super) cpu: Duration,
    pub(super) memory: Bytes,
}

impl Overhead {
    pub(super) const NONE: Self = Self { cpu: Duration::ZERO, memory: Bytes(0) };
}

/// A run to be made.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) program: &'a Path,
    pub(super) command: &'a Command,
    pub(super) limits: &'a Limits,
    pub(super) work: &'a Work,
    /// Where the work folder is attached.
    pub(super) at: &'a Path,
    pub(super) filter: &'a [Op],
    pub(super) cancel: &'a Cancel,
    pub(super) overhead: Overhead,
    pub(super) uid: u32,
}

/// A run that is over, with nothing of it left alive.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) exit: Exit,
    pub(super) meta: Result<Meta, meta::Error>,
    pub(super) stopped: Option<Stop>,
    pub(super) wall: Duration,
    /// By the account of the group.
    pub(super) group: Option<Account>,
    /// What the machine took meanwhile; isolate's making of the box is in it.
    pub(super) pressure: Pressure,
    pub(super) output: Captured,
    pub(super) errors: Captured,
}

/// What a box used, by our own account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Account {
    pub(super) cpu: Duration,
    pub(super) memory: Bytes,
    pub(super) out_of_memory: bool,
}

impl Run<'_> {
    /// Makes the run.
    pub(super) fn make(&self, group: Option<&mut Group>, streams: Opened) -> Result<Ran, Error> {
        let meta = memfd_create("meta", MemfdFlags::CLOEXEC)
            .map_err(step("make a memory file"))
            .map_err(Error::Run)?;
        let Opened { guest, output, errors } = streams;
        let group = match group {
            None => None,
            Some(group) => {
                let memory = Bytes(self.limits.memory.0 + self.overhead.memory.0);
                group.begin(memory, self.limits.processes, RESIDENTS).map_err(Error::Group)?;
                Some(&*group)
            }
        };
        let join = group.map_or_else(|| Ok(Vec::new()), procs).map_err(Error::Procs)?;
        let [input, guest_output, guest_errors] = &guest;
        let fds = [input.as_fd(), guest_output.as_fd(), guest_errors.as_fd(), meta.as_fd()];
        let join: Vec<_> = join.iter().map(AsFd::as_fd).collect();
        let surroundings = Surroundings {
            fds: &fds,
            join: &join,
            mount: Some((self.work.mount(), self.at)),
            filter: self.filter,
            mortal: true,
        };
        let before = pressure::now(group);
        let child = start(self.program, self.command, &surroundings).map_err(Error::Run)?;
        // Whoever reads what the guest writes waits for the last writer, and that must be it.
        drop(guest);
        let mut watch = Watch {
            run: self,
            child: &child,
            group,
            started: Instant::now(),
            output: Stream::new(output, self.limits.output),
            errors: Stream::new(Some(errors), self.limits.stderr),
            stopped: None,
            late: Late::default(),
        };
        let watched = watch.until_ended();
        let wall = watch.started.elapsed();
        let pressure = pressure::now(group).since(&before);
        let pressure = Pressure { late: watch.late.most(), ..pressure };
        if watched.is_err() {
            watch.end_now();
        }
        let exit = watch.reaped()?;
        let (stopped, output, errors) = (watch.stopped, watch.output, watch.errors);
        if let Some(group) = group {
            survivors::empty(group).map_err(Error::Survivors)?;
        } else if matches!(exit, Exit::Signal(_)) {
            // Only the end of isolate's own making takes the box along.
            survivors::kill_user(self.uid).map_err(Error::Survivors)?;
        }
        watched?;
        let mut ran = Ran {
            exit,
            meta: read_meta(meta)?,
            stopped,
            wall,
            group: group.map(|group| self.account(group)).transpose().map_err(Error::Group)?,
            pressure,
            output: output.drain()?,
            errors: errors.drain()?,
        };
        if ran.output.truncated {
            ran.stopped = ran.stopped.or(Some(Stop::Output));
        }
        Ok(ran)
    }

    fn account(&self, group: &Group) -> Result<Account, cgroup::Error> {
        let Overhead { cpu, memory } = self.overhead;
        Ok(Account {
            cpu: group.cpu()?.saturating_sub(cpu),
            memory: Bytes(group.memory_peak()?.0.saturating_sub(memory.0)),
            out_of_memory: group.out_of_memory()?,
        })
    }
}

/// A pipe of the guest's and the first bytes out of it.
struct Stream {
    pipe: Option<OwnedFd>,
    bytes: Vec<u8>,
    max: usize,
}

impl Stream {
    fn new(pipe: Option<OwnedFd>, max: Bytes) -> Self {
        Self { pipe, bytes: Vec::new(), max: usize::try_from(max.0).unwrap_or(usize::MAX - 1) }
    }

    /// Reads once. One byte beyond the limit is kept, to know that it was there.
    fn read(&mut self) -> Result<(), Error> {
        if let Some(pipe) = &self.pipe
            && !read_some(pipe, &mut self.bytes, self.max + 1).map_err(Error::Run)?
        {
            self.pipe = None;
        }
        Ok(())
    }

    fn overflows(&self) -> bool {
        self.bytes.len() > self.max
    }

    /// What is still in the pipe of a guest that is gone: no more than a pipe holds.
    fn drain(mut self) -> Result<Captured, Error> {
        let deadline = Instant::now() + GRACE;
        while let Some(pipe) = &self.pipe {
            let mut fds = [PollFd::new(pipe, PollFlags::IN)];
            // A clone of this process on its way to another exec may hold the writing end a little.
            wait(&mut fds, GRACE).map_err(Error::Run)?;
            if fds[0].revents().is_empty() || Instant::now() > deadline {
                break;
            }
            self.read()?;
        }
        let truncated = self.overflows();
        self.bytes.truncate(self.max);
        Ok(Captured { bytes: self.bytes, truncated })
    }
}

struct Watch<'a> {
    run: &'a Run<'a>,
    child: &'a crate::sys::isolate_child::Child,
    group: Option<&'a Group>,
    started: Instant,
    output: Stream,
    errors: Stream,
    stopped: Option<Stop>,
    late: Late,
}

impl Watch<'_> {
    /// Returns once isolate has ended, or was killed because it did not.
    fn until_ended(&mut self) -> Result<(), Error> {
        let wall = self.started + self.run.limits.wall + SET_UP;
        let mut given_up = None;
        let mut look = Instant::now() + LOOK.start;
        loop {
            let now = Instant::now();
            let until = [given_up.unwrap_or(wall), look].into_iter().min().unwrap_or(wall);
            let ended = self.poll(until.saturating_duration_since(now))?;
            self.late.woke(until.max(now));
            if ended {
                return Ok(());
            }
            let now = Instant::now();
            if given_up.is_some_and(|at| now >= at) {
                // isolate does not take its box down, so we do.
                self.end_now();
                return Ok(());
            }
            if self.stopped.is_none() {
                self.stopped = self.reason(now, wall, &mut look)?;
                given_up = self.stopped.map(|_| now + GRACE);
            }
            if self.stopped.is_some() {
                // Again and again: isolate may not have had a guest yet to be killed.
                self.end();
                look = now + AGAIN;
            }
        }
    }

    /// How isolate ended.
    fn reaped(&self) -> Result<Exit, Error> {
        let mut fds = [PollFd::new(&self.child.pidfd, PollFlags::IN)];
        wait(&mut fds, GRACE).map_err(Error::Run)?;
        if fds[0].revents().is_empty() {
            return Err(Error::Stuck);
        }
        reap(self.child).map_err(Error::Run)
    }

    /// Waits, reads what there is to read, and says whether isolate has ended.
    fn poll(&mut self, timeout: Duration) -> Result<bool, Error> {
        let pidfd = self.child.pidfd.as_fd();
        let cancel = self.stopped.is_none().then_some(self.run.cancel.as_fd());
        let pipes = [&self.output, &self.errors].map(|s| s.pipe.as_ref().map(AsFd::as_fd));
        let watched: [Option<BorrowedFd<'_>>; 4] = [Some(pidfd), pipes[0], pipes[1], cancel];
        let mut fds: Vec<_> = watched
            .iter()
            .flatten()
            .map(|fd| PollFd::from_borrowed_fd(*fd, PollFlags::IN))
            .collect();
        wait(&mut fds, timeout).map_err(Error::Run)?;
        let mut ready = fds.iter().map(|fd| !fd.revents().is_empty());
        let [ended, output, errors, _] =
            watched.map(|fd| fd.is_some() && ready.next().unwrap_or(false));
        if output {
            self.output.read()?;
        }
        if errors {
            self.errors.read()?;
        }
        Ok(ended)
    }

    /// Whether the run has to be ended, and why; else when to look at the accounts again.
    fn reason(
        &self,
        now: Instant,
        wall: Instant,
        look: &mut Instant,
    ) -> Result<Option<Stop>, Error> {
        if self.run.cancel.is_cancelled() {
            return Ok(Some(Stop::Cancel));
        }
        if self.output.overflows() {
            return Ok(Some(Stop::Output));
        }
        if let Some(group) = self.group.filter(|_| now >= *look || now >= wall) {
            // The earliest moment at which the limit can be passed, on all CPUs at once.
            let Limits { cpu, processes, .. } = self.run.limits;
            let limit = *cpu + self.run.overhead.cpu;
            let (used, left) = group.cpu_before(limit, *processes).map_err(Error::Group)?;
            if used > limit {
                return Ok(Some(Stop::Cpu));
            }
            if group.out_of_memory().map_err(Error::Group)? {
                return Ok(Some(Stop::Memory));
            }
            *look = now + left.clamp(LOOK.start, LOOK.end);
        } else if self.group.is_none() {
            *look = wall;
        }
        Ok((now >= wall).then_some(Stop::Wall))
    }

    /// Ends the guest. isolate takes SIGTERM for the wish to kill the box, writes its account and
    /// ends, but may notice as late as its next tick (100 ms) and kills only the first process
    /// itself; the death of the namespace's process 1 is immediate and takes all others along.
    fn end(&self) {
        let _already_gone = pidfd_send_signal(&self.child.pidfd, Signal::TERM);
        if let Some(init) = survivors::only_child(self.child.pid) {
            let _already_gone = pidfd_send_signal(&init, Signal::KILL);
        }
    }

    /// Ends everything, isolate included.
    fn end_now(&self) {
        self.end();
        let _already_gone = pidfd_send_signal(&self.child.pidfd, Signal::KILL);
    }
}

/// The files through which isolate joins the group. Even on v2 it joins, because only its child
/// could be born there; there that costs an RCU grace period when the machine is idle.
fn procs(group: &Group) -> std::io::Result<Vec<OwnedFd>> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    match group.entry() {
        Entry::Born(folder) => Ok(vec![openat(folder, "cgroup.procs", flags, Mode::empty())?]),
        Entry::Joined(files) => {
            files.iter().map(|file| Ok(open(file, flags, Mode::empty())?)).collect()
        }
    }
}

fn read_meta(file: OwnedFd) -> Result<Result<Meta, meta::Error>, Error> {
    let mut file = fs::File::from(file);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(Error::Meta)?;
    file.take(META_MAX).read_to_end(&mut bytes).map_err(Error::Meta)?;
    Ok(Meta::parse(&String::from_utf8_lossy(&bytes)))
}
