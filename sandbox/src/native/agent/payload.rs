//! The payload: the process that becomes the guest. Everything that does not depend on the
//! command is done while the box is armed; then it waits, already unprivileged and filtered, for
//! its command.
//!
//! Runs in a clone of a clone of the agent: nothing here allocates, and every failure travels as
//! (step, errno) down a pipe that a successful exec closes.

use std::ffi::c_char;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::{Gid, Resource, Rlimit, Uid, chdir, setrlimit, setsid, umask};
use rustix::thread::{UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use super::super::wire::{self, Command, Failure, MESSAGE_MAX, Step};
use super::{Slot, at, write_at};
use crate::sys;

/// Strings of a command, at most ([`crate::Job::check`] refuses more).
const STRINGS_MAX: usize = 4096;

/// Room for a command, made by the agent before it clones anything.
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

/// Never returns: becomes the guest, or reports and ends.
pub(super) fn run(slot: &mut Slot, init: BorrowedFd<'_>, failed: BorrowedFd<'_>) -> ! {
    let outcome = prepare(slot).and_then(|()| become_guest(slot, init));
    if let Err(failure) = outcome {
        // Init reads 16 bytes or end of file; if it is gone, so is the box.
        let _told = rustix::io::write(failed, &failure.encode());
    }
    sys::process::exit(127)
}

/// While the box is armed.
fn prepare(slot: &Slot) -> Result<(), Failure> {
    setsid().map_err(at(Step::Session))?;
    sys::process::default_signals();
    sys::process::unshare(UnshareFlags::NEWCGROUP).map_err(at(Step::Group))?;
    write_at(slot.proc.as_fd(), c"self/oom_score_adj", b"1000")
        .map_err(at(Step::OutOfMemoryScore))?;
    fixed_limits().map_err(at(Step::ResourceLimits))?;
    umask(rustix::fs::Mode::from(0o022));
    identity(slot.uid).map_err(at(Step::Identity))?;
    chdir("/w").map_err(at(Step::WorkDir))?;
    rustix::thread::set_no_new_privs(true).map_err(at(Step::Filter))?;
    sys::seccomp::load(&slot.filter).map_err(at(Step::Filter))
}

/// Limits that are the same for every run. A core size of 1 and not 0, because the kernel starts
/// a core_pattern pipe even at 0 and aborts it at exactly 1 (fs/coredump.c, do_coredump).
fn fixed_limits() -> Result<(), Errno> {
    let fixed = [
        (Resource::Core, 1),
        (Resource::Memlock, 0),
        (Resource::Msgqueue, 64 << 10),
        (Resource::Nice, 0),
        (Resource::Rtprio, 0),
    ];
    fixed.into_iter().try_for_each(|(resource, value)| limit(resource, value))
}

fn identity(uid: u32) -> Result<(), Errno> {
    let (user, group) = (Uid::from_raw(uid), Gid::from_raw(uid));
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)
}

/// Once the command is there.
fn become_guest(slot: &mut Slot, init: BorrowedFd<'_>) -> Result<(), Failure> {
    let (length, fds) = wire::receive(init, &mut slot.room.message).map_err(at(Step::Receive))?;
    if length == 0 {
        // Init is ending, and this process with it.
        sys::process::exit(0);
    }
    let message = &slot.room.message[..length];
    let command = Command::decode(message)
        .filter(|c| c.pointers(message, &mut slot.room.argv, &mut slot.room.envp).is_some())
        .ok_or_else(|| at(Step::Understand)(Errno::INVAL))?;
    let [stdout, stderr, stdin, _] = fds;
    streams([stdin, stdout, stderr]).map_err(at(Step::Streams))?;
    limits(&command).map_err(at(Step::ResourceLimits))?;
    let Room { argv, envp, .. } = &slot.room;
    Err(at(Step::Exec)(sys::process::execve(argv[0], argv, envp)))
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

fn limit(resource: Resource, value: u64) -> Result<(), Errno> {
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
}
