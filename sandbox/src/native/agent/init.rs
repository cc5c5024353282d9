//! Box init: pid 1 of a run's own pid and ipc namespaces. It waits for the command, brings what
//! only this run has (artefact, `/proc`), hands the command to the payload that is already born,
//! reaps, and reports. Its death takes every process of the box with it (pid_namespaces(7)).
//!
//! Runs in a clone of the agent: nothing here allocates, and every failure travels as
//! (step, errno).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::mount::{MountFlags, mount};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, set_parent_process_death_signal};
use rustix::time::{ClockId, clock_gettime};

use super::super::wire::{self, BoxFolder, Command, Done, Ending, Failure, Step};
use super::{Slot, at, detach, payload, place, socket_pair};
use crate::sys::process::{Side, exit, fork_into, run_at_once, wait_any};

/// Never returns: ends with the box.
pub(super) fn run(slot: &mut Slot, worker: OwnedFd, group: Option<OwnedFd>) -> ! {
    let done = match one_run(slot, worker.as_fd(), group) {
        Ok(None) => exit(0),
        Ok(Some(ending)) => Done::Ended(ending),
        Err(failure) => Done::Failed(failure),
    };
    let told = wire::send(worker.as_fd(), &done.encode(), &[]);
    exit(i32::from(told.is_err()))
}

/// `None` when the worker closed its end before there was a command.
fn one_run(
    slot: &mut Slot,
    worker: BorrowedFd<'_>,
    group: Option<OwnedFd>,
) -> Result<Option<Ending>, Failure> {
    // Stays in force because this process keeps its user (prctl(2), PR_SET_PDEATHSIG). Should the
    // agent be dead already, its end of the socket is closed and the receive below ends us.
    set_parent_process_death_signal(Some(Signal::KILL)).map_err(at(Step::Guard))?;
    // The guest dies of this process's death, which must not wait for a turn behind the very guest
    // that is to be killed. Without CAP_SYS_NICE it may have to, for some time slices.
    let _as_it_is = run_at_once();
    let payload = Payload::bear(slot, group)?;
    let (length, fds) = wire::receive(worker, &mut slot.room.message).map_err(at(Step::Receive))?;
    if length == 0 {
        return Ok(None);
    }
    let message = &slot.room.message[..length];
    let command = Command::decode(message).ok_or_else(|| at(Step::Understand)(Errno::INVAL))?;
    let [stdout, stderr, third, fourth] = fds;
    let (artefact, stdin) = match command.artefact {
        BoxFolder::Mount => (third, fourth),
        BoxFolder::Empty | BoxFolder::Keep => (None, third),
    };
    if command.artefact != BoxFolder::Keep {
        detach("/box").map_err(at(Step::Unmount))?;
    }
    if let Some(artefact) = artefact {
        place(artefact.as_fd(), "/box").map_err(at(Step::Artefact))?;
    }
    if command.proc {
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("proc", "/proc", "proc", flags, c"hidepid=2,subset=pid").map_err(at(Step::Proc))?;
    }
    let started = now();
    payload.start(message, [stdout, stderr, stdin])?;
    let mut ending = payload.reap()?;
    ending.wall_ns = now().saturating_sub(started);
    Ok(Some(ending))
}

/// The guest's process before it is the guest.
struct Payload {
    pid: Pid,
    socket: OwnedFd,
    /// Closed by a successful exec; carries the failure otherwise.
    started: OwnedFd,
}

impl Payload {
    fn bear(slot: &mut Slot, group: Option<OwnedFd>) -> Result<Self, Failure> {
        let (ours, theirs) = socket_pair().map_err(at(Step::Sockets))?;
        let (started, failed) = pipe_with(PipeFlags::CLOEXEC).map_err(at(Step::Sockets))?;
        let group = group.as_ref().map(AsFd::as_fd);
        match fork_into(0, group).map_err(at(Step::ClonePayload))? {
            Side::Child => payload::run(slot, theirs.as_fd(), failed.as_fd()),
            Side::Parent { pid, pidfd: _ } => Ok(Self { pid, socket: ours, started }),
        }
    }

    /// Hands over the command and waits until the program runs.
    fn start(&self, message: &[u8], streams: [Option<OwnedFd>; 3]) -> Result<(), Failure> {
        let mut fds = [self.socket.as_fd(); 3];
        let mut count = 0;
        for stream in streams.iter().flatten() {
            fds[count] = stream.as_fd();
            count += 1;
        }
        wire::send(self.socket.as_fd(), message, &fds[..count]).map_err(at(Step::Forward))?;
        drop(streams);
        let mut failure = [0; 16];
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.started, &mut failure)) {
            Ok(0) => Ok(()),
            Ok(n) => Err(Failure::decode(&failure[..n])
                .unwrap_or(Failure { step: Step::Understand, errno: Errno::INVAL })),
            Err(errno) => Err(Failure { step: Step::Forward, errno }),
        }
    }

    /// Waits for the payload; orphans of the box end up here too and are reaped on the way.
    fn reap(&self) -> Result<Ending, Failure> {
        loop {
            let ended = wait_any().map_err(at(Step::Reap))?;
            if ended.pid == self.pid.as_raw_nonzero().get() {
                return Ok(Ending {
                    status: ended.status,
                    wall_ns: 0,
                    switches_voluntary: ended.switches_voluntary,
                    switches_forced: ended.switches_forced,
                });
            }
        }
    }
}

fn now() -> u64 {
    let t = clock_gettime(ClockId::Monotonic);
    t.tv_sec.cast_unsigned() * 1_000_000_000 + t.tv_nsec.cast_unsigned()
}
