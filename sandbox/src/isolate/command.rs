//! Runs isolate for something short (`--init`, `--cleanup`, `--version`, …) and keeps what it says.

use std::ffi::{CString, NulError, OsString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions, pidfd_send_signal, waitid};
use rustix::time::Timespec;

use super::argv;
use super::verdict::Exit;
use crate::native::filter::Op;
use crate::sys::isolate_child::{Child, Failure, Launch};

/// Longer than the removal of a full box takes on a busy machine.
const DEADLINE: Duration = Duration::from_secs(10);

/// More than isolate ever says.
const SAID_MAX: usize = 64 << 10;

/// What a command left.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) exit: Exit,
    /// Standard output and standard error, in the order they came.
    pub(super) text: String,
}

/// A command that could not be run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An argument cannot be passed to a program.
    #[error("{value:?} cannot be passed to isolate")]
    Nul {
        /// The argument.
        value: OsString,
        /// Where the NUL is.
        #[source]
        source: NulError,
    },
    /// isolate was not started.
    #[error("cannot start isolate")]
    Start(#[source] Failure),
    /// A call on our own descriptors failed.
    #[error("cannot {step}")]
    Step {
        /// Which.
        step: &'static str,
        /// Why.
        #[source]
        source: Errno,
    },
    /// It did not end in time.
    #[error("isolate {command} did not end within {} s", DEADLINE.as_secs())]
    Hung {
        /// Its arguments.
        command: String,
    },
}

/// Runs `program` with `command`'s arguments, input from `/dev/null`.
pub(super) fn run(program: &Path, command: &argv::Command) -> Result<Said, Error> {
    let (reader, writer) = pipe()?;
    let null = null()?;
    let fds = [null.as_fd(), writer.as_fd(), writer.as_fd()];
    let child = start(program, command, &Surroundings { fds: &fds, ..Surroundings::default() })?;
    drop(writer);
    let deadline = Instant::now() + DEADLINE;
    let hung = || {
        // What hangs in the kernel does not die; the caller gives up its box.
        let _dying = pidfd_send_signal(&child.pidfd, Signal::KILL);
        let words: Vec<_> = command.args.iter().map(|a| a.to_string_lossy()).collect();
        Error::Hung { command: words.join(" ") }
    };
    let left = || deadline.saturating_duration_since(Instant::now());
    let mut text = Vec::new();
    loop {
        let mut fds =
            [PollFd::new(&reader, PollFlags::IN), PollFd::new(&child.pidfd, PollFlags::IN)];
        wait(&mut fds, left())?;
        let [readable, ended] = fds.map(|fd| !fd.revents().is_empty());
        if readable && !read_some(&reader, &mut text, SAID_MAX)? {
            break;
        }
        // A process of an old box may hold the pipe for ever, so its end is not waited for.
        if ended && !readable {
            break;
        }
        if left().is_zero() {
            return Err(hung());
        }
    }
    let mut fds = [PollFd::new(&child.pidfd, PollFlags::IN)];
    while fds[0].revents().is_empty() {
        wait(&mut fds, left())?;
        if left().is_zero() {
            return Err(hung());
        }
    }
    Ok(Said { exit: reap(&child)?, text: String::from_utf8_lossy(&text).trim().to_owned() })
}

/// What isolate is started with beside its arguments; see [`Launch`].
#[derive(Debug, Default)]
pub(super) struct Surroundings<'a> {
    pub(super) fds: &'a [BorrowedFd<'a>],
    pub(super) join: &'a [BorrowedFd<'a>],
    pub(super) mount: Option<(BorrowedFd<'a>, &'a Path)>,
    pub(super) filter: &'a [Op],
    pub(super) mortal: bool,
}

/// Starts isolate.
pub(super) fn start(
    program: &Path,
    command: &argv::Command,
    surroundings: &Surroundings<'_>,
) -> Result<Child, Error> {
    let Surroundings { fds, join, mount, filter, mortal } = *surroundings;
    let text = |value: &OsString| {
        CString::new(value.as_bytes()).map_err(|source| Error::Nul { value: value.clone(), source })
    };
    let program = text(&program.as_os_str().to_owned())?;
    let mut args = vec![program.clone()];
    for arg in &command.args {
        args.push(text(arg)?);
    }
    let env = command.env.iter().map(text).collect::<Result<Vec<_>, _>>()?;
    let mount = match mount {
        None => None,
        Some((fd, path)) => Some((fd, text(&path.as_os_str().to_owned())?)),
    };
    let mount = mount.as_ref().map(|(fd, path)| (*fd, path.as_c_str()));
    let launch =
        Launch { program: &program, args: &args, env: &env, fds, join, mount, filter, mortal };
    launch.start().map_err(Error::Start)
}

/// Collects a process that has ended.
pub(super) fn reap(child: &Child) -> Result<Exit, Error> {
    let ended = retry(|| waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED))
        .map_err(step("wait for isolate"))?;
    let status = ended.ok_or(Error::Step { step: "wait for isolate", source: Errno::CHILD })?;
    Ok(match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, signal) => Exit::Signal(signal.unwrap_or(0)),
    })
}

/// A pipe whose read end does not block.
pub(super) fn pipe() -> Result<(OwnedFd, OwnedFd), Error> {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).map_err(step("make a pipe"))?;
    fcntl_setfl(&reader, OFlags::NONBLOCK).map_err(step("unblock a pipe"))?;
    Ok((reader, writer))
}

/// Nothing to read.
pub(super) fn null() -> Result<OwnedFd, Error> {
    open("/dev/null", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
        .map_err(step("open /dev/null"))
}

/// `poll(2)` for at most `timeout`.
pub(super) fn wait(fds: &mut [PollFd<'_>], timeout: Duration) -> Result<(), Error> {
    let timeout = Timespec::try_from(timeout).unwrap_or(Timespec { tv_sec: 1, tv_nsec: 0 });
    match poll(fds, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(source) => Err(Error::Step { step: "wait for isolate", source }),
    }
}

/// Reads once; what exceeds `max` bytes in `into` is thrown away. False at the end of the pipe.
pub(super) fn read_some(pipe: &OwnedFd, into: &mut Vec<u8>, max: usize) -> Result<bool, Error> {
    let mut buffer = [0u8; 64 << 10];
    match rustix::io::read(pipe, &mut buffer) {
        Ok(0) => Ok(false),
        Ok(n) => {
            let room = max.saturating_sub(into.len());
            into.extend_from_slice(&buffer[..n.min(room)]);
            Ok(true)
        }
        Err(Errno::AGAIN | Errno::INTR) => Ok(true),
        Err(source) => Err(Error::Step { step: "read a pipe", source }),
    }
}

pub(super) fn step(step: &'static str) -> impl Fn(Errno) -> Error {
    move |source| Error::Step { step, source }
}

fn retry<T>(call: impl Fn() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}
