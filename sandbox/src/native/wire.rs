//! What worker, slot agent and box say to each other: small messages over
//! `SOCK_SEQPACKET` socket pairs, descriptors beside them. All ends are the same binary, so
//! numbers travel in native order.

use std::ffi::c_char;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use super::filter::Filters;
use crate::Mount;

/// The longest message; [`crate::Job::check`] keeps commands below it.
pub(super) const MESSAGE_MAX: usize = 128 << 10;

/// The most descriptors beside a message.
const FDS_MAX: usize = 4;

/// Worker to agent, once.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    /// User and group of the slot's guests.
    pub(super) uid: u32,
    /// Files of cgroup v1 to write `0` to.
    pub(super) join: Vec<std::path::PathBuf>,
    pub(super) mounts: Vec<Mount>,
    pub(super) filters: Filters,
    /// An empty folder, where there are overlays.
    pub(super) empty: Option<std::path::PathBuf>,
}

/// A step of ours that failed between the worker's request and the guest's first instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) step: Step,
    pub(super) errno: Errno,
}

macro_rules! steps {
    ($($name:ident = $text:literal,)*) => {
        /// The steps of ours that can fail beyond the worker.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Step { $(#[doc = $text] $name,)* }

        impl Step {
            const ALL: &[Self] = &[$(Self::$name),*];

            pub(super) const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

steps! {
    Receive = "receive a message",
    Understand = "understand a message",
    JoinGroup = "join the slot's control groups",
    Unshare = "leave the machine's namespaces",
    Private = "make the mount tree private",
    Base = "clone the mounts of the base system",
    Root = "build the root of the box",
    Pivot = "pivot into the root of the box",
    Hostname = "set the host name",
    Capabilities = "drop capabilities",
    Work = "mount the work directories",
    Unmount = "unmount the last run's directories",
    Sockets = "make the box's sockets",
    Stack = "make a stack for the box's processes",
    CloneInit = "clone the box's first process",
    ClonePayload = "clone the guest's process",
    Guard = "tie the box's life to the agent's",
    Artefact = "mount the artefact at /box",
    Proc = "mount /proc",
    Reap = "wait for the guest's process",
    Session = "start a session",
    Group = "hide the control group",
    OutOfMemoryScore = "offer the guest to the OOM killer",
    Identity = "take the guest's user and group",
    WorkDir = "enter /w",
    Filter = "load the system call filter",
    Streams = "place the standard streams",
    ResourceLimits = "set resource limits",
    Exec = "execute the program",
}

/// Agent to worker.
#[derive(Debug)]
pub(super) enum Reply {
    /// The slot is set up.
    Ready,
    /// A box waits for its command: the socket to it and a pidfd of it.
    Armed { request: OwnedFd, init: OwnedFd },
    /// A step failed; the agent is of no more use.
    Failed(Failure),
}

/// Init to worker: the run is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Done {
    /// The program ended.
    Ended(Ending),
    /// It never started.
    Failed(Failure),
}

/// How the guest's first process ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Ending {
    /// As `wait(2)` encodes it.
    pub(super) status: i32,
    pub(super) wall_ns: u64,
    pub(super) switches_voluntary: u64,
    pub(super) switches_forced: u64,
}

/// Worker to agent: asks for a box.
#[derive(Debug)]
pub(super) struct Arm<F> {
    /// The work file system, detached; absent when the last one stays.
    pub(super) work: Option<F>,
    /// cgroup v2: where the guest is born.
    pub(super) group: Option<F>,
    /// cgroup v1: lists of processes that the agent moves to, because the group was made anew.
    pub(super) join: Vec<F>,
}

impl Arm<BorrowedFd<'_>> {
    pub(super) fn send(&self, agent: BorrowedFd<'_>) -> Result<(), Errno> {
        let Self { work, group, join } = self;
        let fds: Vec<_> = work.iter().chain(group).chain(join).copied().collect();
        send(agent, &[u8::from(work.is_some()), u8::from(group.is_some())], &fds)
    }
}

impl Arm<OwnedFd> {
    /// `None` when the worker is gone.
    pub(super) fn receive(worker: BorrowedFd<'_>) -> Result<Option<Self>, Errno> {
        let mut given = [0; 2];
        let (length, fds) = receive(worker, &mut given)?;
        if length == 0 {
            return Ok(None);
        }
        let mut fds = fds.into_iter().flatten();
        let mut one = |given| match given {
            0 => Ok(None),
            _ => fds.next().map(Some).ok_or(Errno::BADF),
        };
        let [work, group] = given;
        let (work, group) = (one(work)?, one(group)?);
        Ok(Some(Self { work, group, join: fds.collect() }))
    }
}

/// What becomes of `/box`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum BoxFolder {
    /// Nothing is mounted there.
    #[default]
    Empty,
    /// What is there stays.
    Keep,
    /// The descriptor that is sent is mounted there.
    Mount,
}

impl BoxFolder {
    const ALL: [Self; 3] = [Self::Empty, Self::Keep, Self::Mount];
}

/// The numbers in front of a command; `argc` and `envc` NUL-terminated strings follow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) proc: bool,
    pub(super) artefact: BoxFolder,
    /// Whether a descriptor for standard input is sent; else it is closed.
    pub(super) stdin: bool,
    pub(super) cpu_seconds: u64,
    pub(super) stack: u64,
    pub(super) file_size: u64,
    pub(super) open_files: u64,
    pub(super) argc: u64,
    pub(super) envc: u64,
}

const COMMAND: usize = 9 * 8;

impl Command {
    /// The whole message.
    pub(super) fn encode(&self, argv: &[String], env: &[(String, String)]) -> Vec<u8> {
        let Self { proc, artefact, stdin, cpu_seconds, stack, file_size, open_files, argc, envc } =
            *self;
        let mut out = Vec::with_capacity(4096);
        let numbers = [
            u64::from(proc),
            artefact as u64,
            u64::from(stdin),
            cpu_seconds,
            stack,
            file_size,
            open_files,
            argc,
            envc,
        ];
        for n in numbers {
            out.extend_from_slice(&n.to_ne_bytes());
        }
        for arg in argv {
            out.extend_from_slice(arg.as_bytes());
            out.push(0);
        }
        for (name, value) in env {
            out.extend_from_slice(name.as_bytes());
            out.push(b'=');
            out.extend_from_slice(value.as_bytes());
            out.push(0);
        }
        out
    }

    /// The numbers of a message; `None` when it is none.
    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        let n = |i| number(message, i);
        Some(Self {
            proc: n(0)? != 0,
            artefact: *BoxFolder::ALL.get(usize::try_from(n(1)?).ok()?)?,
            stdin: n(2)? != 0,
            cpu_seconds: n(3)?,
            stack: n(4)?,
            file_size: n(5)?,
            open_files: n(6)?,
            argc: n(7)?,
            envc: n(8)?,
        })
    }

    /// Fills `argv` and `envp` with pointers into `message`, each ended by a null pointer.
    /// Allocates nothing; `None` when the strings do not match the counts or the room.
    pub(super) fn pointers(
        &self,
        message: &[u8],
        argv: &mut [*const c_char],
        envp: &mut [*const c_char],
    ) -> Option<()> {
        let strings = message.get(COMMAND..)?;
        let mut at = 0;
        for (room, count) in [(argv, self.argc), (envp, self.envc)] {
            let count = usize::try_from(count).ok()?;
            for slot in room.get_mut(..count)? {
                let string = strings.get(at..)?;
                at += string.iter().position(|b| *b == 0)? + 1;
                *slot = string.as_ptr().cast();
            }
            *room.get_mut(count)? = std::ptr::null();
        }
        Some(())
    }
}

fn number(message: &[u8], index: usize) -> Option<u64> {
    let bytes = message.get(index * 8..index * 8 + 8)?;
    Some(u64::from_ne_bytes(bytes.try_into().ok()?))
}

impl Failure {
    pub(super) fn encode(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&u64::from(self.step as u8).to_ne_bytes());
        out[8..].copy_from_slice(&i64::from(self.errno.raw_os_error()).to_ne_bytes());
        out
    }

    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        let step = *Step::ALL.get(usize::try_from(number(message, 0)?).ok()?)?;
        let errno = Errno::from_raw_os_error(i32::try_from(number(message, 1)?).ok()?);
        Some(Self { step, errno })
    }
}

impl Done {
    pub(super) fn encode(self) -> [u8; 40] {
        let mut out = [0; 40];
        match self {
            Self::Failed(failure) => {
                out[0] = 1;
                out[8..24].copy_from_slice(&failure.encode());
            }
            Self::Ended(Ending { status, wall_ns, switches_voluntary, switches_forced }) => {
                let status = u64::from(status.cast_unsigned());
                let numbers = [status, wall_ns, switches_voluntary, switches_forced];
                for (at, n) in numbers.into_iter().enumerate() {
                    out[8 + at * 8..16 + at * 8].copy_from_slice(&n.to_ne_bytes());
                }
            }
        }
        out
    }

    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        let body = message.get(8..40)?;
        if message[0] == 1 {
            return Failure::decode(body).map(Self::Failed);
        }
        Some(Self::Ended(Ending {
            status: u32::try_from(number(body, 0)?).ok()?.cast_signed(),
            wall_ns: number(body, 1)?,
            switches_voluntary: number(body, 2)?,
            switches_forced: number(body, 3)?,
        }))
    }
}

impl Reply {
    pub(super) fn send(&self, socket: BorrowedFd<'_>) -> Result<(), Errno> {
        match self {
            Self::Ready => send(socket, &[0], &[]),
            Self::Armed { request, init } => send(socket, &[1], &[request.as_fd(), init.as_fd()]),
            Self::Failed(failure) => {
                let mut message = [2; 17];
                message[1..].copy_from_slice(&failure.encode());
                send(socket, &message, &[])
            }
        }
    }

    /// `None` when the agent is gone, or said what no agent says.
    pub(super) fn receive(socket: BorrowedFd<'_>) -> Option<Self> {
        let mut buffer = [0; 64];
        let (length, fds) = receive(socket, &mut buffer).ok()?;
        let mut fds = fds.into_iter().flatten();
        match buffer[..length] {
            [0] => Some(Self::Ready),
            [1] => Some(Self::Armed { request: fds.next()?, init: fds.next()? }),
            [2, ref failure @ ..] => Failure::decode(failure).map(Self::Failed),
            _ => None,
        }
    }
}

/// Sends one message whole, with descriptors.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    message: &[u8],
    fds: &[BorrowedFd<'_>],
) -> Result<(), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::TOOBIG);
    }
    rustix::io::retry_on_intr(|| {
        sendmsg(socket, &[IoSlice::new(message)], &mut control, SendFlags::NOSIGNAL)
    })
    .map(|_| ())
}

/// Receives one message; length 0 means that the other end is gone.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> Result<(usize, [Option<OwnedFd>; FDS_MAX]), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [std::io::IoSliceMut::new(buffer)];
    let message = rustix::io::retry_on_intr(|| {
        recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut fds = [const { None }; FDS_MAX];
    let received = control.drain().filter_map(|m| match m {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    for (slot, fd) in fds.iter_mut().zip(received.flatten()) {
        *slot = Some(fd);
    }
    Ok((message.bytes, fds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_survives_the_wire() {
        let command = Command { proc: true, open_files: 7, argc: 2, envc: 1, ..Command::default() };
        let argv = ["/bin/a", "b c"].map(str::to_owned);
        let message = command.encode(&argv, &[("K".into(), "v=1".into())]);
        assert_eq!(Command::decode(&message), Some(command));
        let (mut a, mut e) = ([std::ptr::null(); 3], [std::ptr::null(); 2]);
        command.pointers(&message, &mut a, &mut e).unwrap();
        let offset = |p: *const c_char| p as usize - message.as_ptr() as usize - COMMAND;
        assert_eq!((offset(a[0]), offset(a[1]), offset(e[0])), (0, 7, 11));
        assert!(a[2].is_null() && e[1].is_null());
    }

    #[test]
    fn counts_that_lie_are_refused() {
        let command = Command { argc: 3, ..Command::default() };
        let message = command.encode(&["x".to_owned()], &[]);
        let (mut a, mut e) = ([std::ptr::null(); 8], [std::ptr::null(); 8]);
        assert!(command.pointers(&message, &mut a, &mut e).is_none());
        let many = Command { argc: u64::MAX, ..Command::default() };
        assert!(many.pointers(&many.encode(&[], &[]), &mut a, &mut e).is_none());
        assert_eq!(Command::decode(&[0; 10]), None);
    }

    #[test]
    fn endings_and_failures_survive_the_wire() {
        let ended = Done::Ended(Ending { status: 9, wall_ns: 5, ..Ending::default() });
        let failed = Done::Failed(Failure { step: Step::Exec, errno: Errno::NOENT });
        for done in [ended, failed] {
            assert_eq!(Done::decode(&done.encode()), Some(done));
        }
        assert_eq!(Done::decode(&[]), None);
    }
}
