//! The payload: the process that becomes the guest. It waits for its command, brings what only
//! this run has (artefact, `/proc`, streams, limits), and gives up what made that possible.
//!
//! Runs on the agent's memory: nothing here allocates, and every failure is left on the stage as
//! (step, errno).

use std::ffi::c_char;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{Access, access};
use rustix::io::Errno;
use rustix::process::{Gid, Resource, Uid, chdir, setsid};
use rustix::thread::{UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::super::filter::Key;
use super::super::socket;
use super::super::wire::{BoxFolder, Command, Failure, MESSAGE_MAX, Step};
use super::{Stage, at, detach, init, limit, write_at};
use crate::sys;
use crate::sys::mount::{mount, place};

/// Strings of a command, at most ([`crate::Job::check`] refuses more).
const STRINGS_MAX: usize = 4096;

/// How far a payload has come.
pub(super) enum Start {
    /// To where it waits for its command.
    Waits,
    /// Its exec, at this moment (`CLOCK_MONOTONIC`, ns).
    At(u64),
    /// It did not start.
    Failed(Failure),
}

/// Room for a command.
pub(super) struct Room {
    pub(super) message: Vec<u8>,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
}

impl Room {
    pub(super) fn new() -> Self {
        let pointers = || vec![std::ptr::null(); STRINGS_MAX + 1];
        Self { message: vec![0; MESSAGE_MAX], argv: pointers(), envp: pointers() }
    }
}

/// Becomes the guest, or leaves why not and ends.
pub(super) extern "C" fn run(stage: &mut Stage) -> ! {
    match prepare(stage).and_then(|()| become_guest(stage)) {
        Ok(()) => sys::process::exit(0),
        Err(failure) => stage.start = Start::Failed(failure),
    }
    sys::process::exit(127)
}

/// While the box is armed: what does not depend on the command.
fn prepare(stage: &Stage) -> Result<(), Failure> {
    setsid().map_err(at(Step::Session))?;
    groups(stage.uid).map_err(at(Step::Identity))?;
    sys::process::unshare(UnshareFlags::NEWCGROUP, stage.key).map_err(at(Step::Group))?;
    // Its own, though the memory is shared, because init waits for the exec (fs/proc/base.c,
    // __set_oom_adj).
    write_at(stage.proc.as_fd(), c"self/oom_score_adj", b"1000").map_err(at(Step::OutOfMemoryScore))
}

fn groups(uid: u32) -> Result<(), Errno> {
    let group = Gid::from_raw(uid);
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)
}

/// What may be mounted and raised, root alone may: last.
fn identity(uid: u32) -> Result<(), Errno> {
    let user = Uid::from_raw(uid);
    set_thread_res_uid(user, user, user)
}

/// Once the command is there; `Ok` when the worker closed its end before there was one.
fn become_guest(stage: &mut Stage) -> Result<(), Failure> {
    let Stage { uid, key, places, room, worker, start, .. } = stage;
    let received = socket::receive(worker.as_fd(), &mut room.message);
    let (length, fds) = received.map_err(at(Step::Receive))?;
    if length == 0 {
        return Ok(());
    }
    let message = &room.message[..length];
    let command = Command::decode(message)
        .filter(|c| c.pointers(message, &mut room.argv, &mut room.envp).is_some())
        .ok_or_else(|| at(Step::Understand)(Errno::INVAL))?;
    if let Some(places) = places {
        let set = if command.aside { &places.aside } else { &places.test };
        sys::process::keep_to(set, *key).map_err(at(Step::Cpus))?;
    }
    let [stdout, stderr, third, fourth] = fds;
    let (artefact, stdin) = match command.artefact {
        BoxFolder::Mount => (third, fourth),
        BoxFolder::Empty | BoxFolder::Keep => (None, third),
    };
    mounts(&command, artefact, *key)?;
    streams([stdin, stdout, stderr]).map_err(at(Step::Streams))?;
    limits(&command).map_err(at(Step::ResourceLimits))?;
    if command.fixed_addresses {
        sys::process::fix_addresses(*key).map_err(at(Step::Addresses))?;
    }
    identity(*uid).map_err(at(Step::Identity))?;
    // Not before: it is the guest's, and root without its capabilities may not enter.
    chdir("/w").map_err(at(Step::WorkDir))?;
    *start = Start::At(init::now());
    let errno = sys::process::execve(room.argv[0], &room.argv, &room.envp);
    // `ENOENT` and `EACCES` may be the program's, or those of an interpreter that it names.
    let there = Command::program(message).is_some_and(|path| access(path, Access::EXEC_OK).is_ok());
    Err(at(if there { Step::Exec } else { Step::Find })(errno))
}

fn mounts(command: &Command, artefact: Option<OwnedFd>, key: Key) -> Result<(), Failure> {
    if command.artefact != BoxFolder::Keep {
        detach(c"/box", key).map_err(at(Step::Unmount))?;
    }
    if let Some(artefact) = artefact {
        place(artefact.as_fd(), c"/box", key).map_err(at(Step::Artefact))?;
    }
    if command.proc {
        let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
        mount(c"proc", c"/proc", flags, c"hidepid=2,subset=pid", key).map_err(at(Step::Proc))?;
    }
    Ok(())
}

/// Puts the streams at 0, 1 and 2; everything else closes at exec.
fn streams(streams: [Option<OwnedFd>; 3]) -> Result<(), Errno> {
    let mut streams = streams;
    // Descriptors that sit below 3 would be overwritten before they are placed.
    for stream in streams.iter_mut().flatten() {
        *stream = rustix::io::fcntl_dupfd_cloexec(stream.as_fd(), 3)?;
    }
    let [stdin, stdout, stderr] = streams;
    match stdin {
        Some(fd) => rustix::stdio::dup2_stdin(fd)?,
        None => sys::process::close(0),
    }
    rustix::stdio::dup2_stdout(stdout.ok_or(Errno::BADF)?)?;
    rustix::stdio::dup2_stderr(stderr.ok_or(Errno::BADF)?)?;
    sys::process::close_on_exec_from(3)
}

/// Limits of this run. CPU seconds are only a backstop behind the worker's own watch.
fn limits(command: &Command) -> Result<(), Errno> {
    limit(Resource::Cpu, command.cpu_seconds)?;
    limit(Resource::Stack, command.stack)?;
    limit(Resource::Fsize, command.file_size)?;
    limit(Resource::Nofile, command.open_files)
}
