//! What worker, slot agent and box say to each other, each in one message (`socket.rs`). All ends are
//! the same binary, so numbers travel in native order.

use std::ffi::{CStr, c_char};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::cpus::Places;
use super::filter::{Key, Op};
use super::socket::{receive, send, send_with};
use crate::Mount;

/// The longest message; [`crate::Job::check`] keeps commands below it.
pub(super) const MESSAGE_MAX: usize = 128 << 10;

/// Worker to agent, once.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Setup {
    /// User and group of the slot's guests.
    pub(super) uid: u32,
    /// Files of cgroup v1 to write `0` to.
    pub(super) join: Vec<std::path::PathBuf>,
    pub(super) mounts: Vec<Mount>,
    pub(super) key: Key,
    pub(super) filter: Vec<Op>,
    /// An empty folder, where there are overlays.
    pub(super) empty: Option<std::path::PathBuf>,
    /// Where an engine is pinned.
    pub(super) places: Option<Places<Vec<usize>>>,
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
    Cpus = "move to the CPUs it was given",
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
    Addresses = "choose the guest's addresses",
    Identity = "take the guest's user and group",
    WorkDir = "enter /w",
    Filter = "load the system call filter",
    Streams = "place the standard streams",
    ResourceLimits = "set resource limits",
    Find = "find a program to execute",
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
    /// From its exec on; 0 when it was killed on the way there.
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
        let flags = [u8::from(work.is_some()), u8::from(group.is_some())];
        send_with(agent, &flags, &fds, None)
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
        let mut one = |given| match (length, given) {
            (2, 0) => Ok(None),
            (2, 1) => fds.next().map(Some).ok_or(Errno::BADF),
            _ => Err(Errno::INVAL),
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
    pub(super) fixed_addresses: bool,
    pub(super) aside: bool,
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

const COMMAND: usize = 11 * 8;

impl Command {
    /// The whole message.
    pub(super) fn encode(&self, argv: &[String], env: &[(String, String)]) -> Vec<u8> {
        let Self {
            proc,
            fixed_addresses,
            aside,
            artefact,
            stdin,
            cpu_seconds,
            stack,
            file_size,
            open_files,
            argc,
            envc,
        } = *self;
        let mut out = Vec::with_capacity(4096);
        let numbers = [
            u64::from(proc),
            u64::from(fixed_addresses),
            u64::from(aside),
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
        let flag = |i| n(i).filter(|n| *n <= 1).map(|n| n == 1);
        Some(Self {
            proc: flag(0)?,
            fixed_addresses: flag(1)?,
            aside: flag(2)?,
            artefact: *BoxFolder::ALL.get(usize::try_from(n(3)?).ok()?)?,
            stdin: flag(4)?,
            cpu_seconds: n(5)?,
            stack: n(6)?,
            file_size: n(7)?,
            open_files: n(8)?,
            argc: n(9)?,
            envc: n(10)?,
        })
    }

    /// The first string of a message: the program.
    pub(super) fn program(message: &[u8]) -> Option<&CStr> {
        CStr::from_bytes_until_nul(message.get(COMMAND..)?).ok()
    }

    /// Fills `argv` and `envp` with pointers into `message`, each ended by a null pointer.
    /// Allocates nothing; `None` when the strings do not match the counts or the room. After `None`
    /// the pointers mean nothing.
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
        (at == strings.len()).then_some(())
    }
}

fn number(message: &[u8], index: usize) -> Option<u64> {
    let bytes = message.get(index * 8..index * 8 + 8)?;
    Some(u64::from_ne_bytes(bytes.try_into().ok()?))
}

/// The largest errno (linux/err.h, MAX_ERRNO).
const ERRNO_MAX: i32 = 4095;

const FAILURE: usize = 16;

const DONE: usize = 40;

impl Failure {
    pub(super) fn encode(self) -> [u8; FAILURE] {
        let mut out = [0; FAILURE];
        out[..8].copy_from_slice(&u64::from(self.step as u8).to_ne_bytes());
        out[8..].copy_from_slice(&i64::from(self.errno.raw_os_error()).to_ne_bytes());
        out
    }

    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        if message.len() != FAILURE {
            return None;
        }
        let step = *Step::ALL.get(usize::try_from(number(message, 0)?).ok()?)?;
        let errno = i32::try_from(number(message, 1)?).ok();
        // rustix panics at what is none.
        let errno = errno.filter(|errno| (1..=ERRNO_MAX).contains(errno))?;
        Some(Self { step, errno: Errno::from_raw_os_error(errno) })
    }
}

impl Done {
    /// Whether the guest came to its exec. All that its command asked for is done by then.
    pub(super) fn was_started(self) -> bool {
        match self {
            Self::Ended(ending) => ending.wall_ns > 0,
            Self::Failed(failure) => matches!(failure.step, Step::Find | Step::Exec),
        }
    }

    pub(super) fn encode(self) -> [u8; DONE] {
        let mut out = [0; DONE];
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

    /// `None` unless it is, to the byte, what [`Done::encode`] makes of an end: verdicts come of it.
    pub(super) fn decode(message: &[u8]) -> Option<Self> {
        let body = message.get(8..)?;
        let done = match message[0] {
            0 => Self::Ended(Ending {
                status: over(u32::try_from(number(body, 0)?).ok()?.cast_signed())?,
                wall_ns: number(body, 1)?,
                switches_voluntary: number(body, 2)?,
                switches_forced: number(body, 3)?,
            }),
            1 => Self::Failed(Failure::decode(body.get(..FAILURE)?)?),
            _ => return None,
        };
        (done.encode()[..] == *message).then_some(done)
    }
}

/// A status of wait(2) that says how a process ended. Any other, as that of one that was stopped, would
/// be read as an exit code.
fn over(status: i32) -> Option<i32> {
    let exited = status & 0xff == 0 && (0..=0xff).contains(&(status >> 8));
    // With or without a core dump.
    let signalled = (1..=64).contains(&(status & !0x80));
    (exited || signalled).then_some(status)
}

impl Reply {
    /// Descriptors are sent with the slot's key.
    pub(super) fn send(&self, socket: BorrowedFd<'_>, key: Option<Key>) -> Result<(), Errno> {
        match self {
            Self::Ready => send(socket, &[0]),
            Self::Armed { request, init } => {
                send_with(socket, &[1], &[request.as_fd(), init.as_fd()], key)
            }
            Self::Failed(failure) => {
                let mut message = [2; 1 + FAILURE];
                message[1..].copy_from_slice(&failure.encode());
                send(socket, &message)
            }
        }
    }

    /// `None` when the agent is gone, or said what no agent says.
    pub(super) fn receive(socket: BorrowedFd<'_>) -> Result<Option<Self>, Errno> {
        let mut buffer = [0; 64];
        let (length, fds) = match receive(socket, &mut buffer) {
            Err(Errno::CONNRESET) => return Ok(None),
            other => other?,
        };
        let mut fds = fds.into_iter().flatten();
        Ok(match buffer[..length] {
            [0] => Some(Self::Ready),
            [1] => match (fds.next(), fds.next()) {
                (Some(request), Some(init)) => Some(Self::Armed { request, init }),
                _ => None,
            },
            [2, ref failure @ ..] => Failure::decode(failure).map(Self::Failed),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    use super::super::socket::FDS_MAX;
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
        assert_eq!(Command::program(&message), Some(c"/bin/a"));
    }

    #[test]
    fn counts_that_lie_are_refused() {
        let command = Command { argc: 3, ..Command::default() };
        let message = command.encode(&["x".to_owned()], &[]);
        let (mut a, mut e) = ([std::ptr::null(); 8], [std::ptr::null(); 8]);
        assert!(command.pointers(&message, &mut a, &mut e).is_none());
        let few = Command { argc: 0, ..command };
        assert!(few.pointers(&message, &mut a, &mut e).is_none());
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

    #[test]
    fn what_is_no_end_is_no_verdict() {
        let ended = |status| Done::Ended(Ending { status, ..Ending::default() }).encode();
        // Stopped by SIGSTOP, continued, and what no status is (wait(2)).
        for status in [0x137f, 0xffff, 0x80, 0x109, 65, 0x1_0000, -1] {
            assert_eq!(Done::decode(&ended(status)), None, "{status:#x}");
        }
        let mut failed = Done::Failed(Failure { step: Step::Exec, errno: Errno::NOENT }).encode();
        for errno in [0, -1, 4096, i64::MAX] {
            failed[16..24].copy_from_slice(&errno.to_ne_bytes());
            assert_eq!(Done::decode(&failed), None, "errno {errno}");
        }
    }

    /// As the agent reads them: a message, and room for so many strings.
    fn strings(message: &[u8], room: usize) -> Option<[Vec<Vec<u8>>; 2]> {
        let command = Command::decode(message)?;
        // Not null, so that one that is missing is missed.
        let pointers = || vec![std::ptr::NonNull::<c_char>::dangling().as_ptr().cast_const(); room];
        let (mut argv, mut envp) = (pointers(), pointers());
        command.pointers(message, &mut argv, &mut envp)?;
        let read = |pointers: Vec<*const c_char>| {
            let within = pointers.iter().take_while(|p| !p.is_null()).map(|p| {
                let at = (*p as usize).checked_sub(message.as_ptr() as usize).unwrap();
                CStr::from_bytes_until_nul(&message[at..]).unwrap().to_bytes().to_vec()
            });
            within.collect::<Vec<_>>()
        };
        Some([read(argv), read(envp)])
    }

    /// Numbers as they are at the borders of what is meant.
    fn numbers() -> impl Strategy<Value = u64> {
        prop_oneof![0..4_u64, Just(4095), Just(4096), Just(u64::MAX), any::<u64>()]
    }

    /// Near a message of ours: so many numbers, then bytes.
    fn messages(count: usize) -> impl Strategy<Value = Vec<u8>> {
        let tail = prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..40);
        (prop::collection::vec(numbers(), 0..=count), tail).prop_map(|(numbers, tail)| {
            let head = numbers.iter().flat_map(|n| n.to_ne_bytes());
            head.chain(tail).collect()
        })
    }

    /// What crosses the wire as a string.
    fn text() -> impl Strategy<Value = String> {
        "[^\0=]{0,12}"
    }

    proptest! {
        #[test]
        fn any_command_survives_the_wire(
            argv in prop::collection::vec(text(), 0..6),
            env in prop::collection::vec((text(), text()), 0..6),
            flags in any::<[bool; 4]>(),
            folder in 0..3_usize,
            limits in any::<[u64; 4]>(),
        ) {
            let command = Command {
                proc: flags[0],
                artefact: BoxFolder::ALL[folder],
                stdin: flags[1],
                fixed_addresses: flags[2],
                aside: flags[3],
                cpu_seconds: limits[0],
                stack: limits[1],
                file_size: limits[2],
                open_files: limits[3],
                argc: argv.len() as u64,
                envc: env.len() as u64,
            };
            let message = command.encode(&argv, &env);
            prop_assert_eq!(Command::decode(&message), Some(command));
            let bytes = |strings: Vec<String>| {
                strings.into_iter().map(String::into_bytes).collect::<Vec<_>>()
            };
            let env = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
            prop_assert_eq!(strings(&message, 8), Some([bytes(argv), bytes(env)]));
        }

        /// Nothing at all, or strings that lie in the message and end there.
        #[test]
        fn any_bytes_are_a_command_or_none(message in messages(COMMAND / 8), room in 0..6_usize) {
            if let Some(found) = strings(&message, room) {
                let bytes: usize = found.iter().flatten().map(|s| s.len() + 1).sum();
                prop_assert_eq!(bytes, message.len() - COMMAND);
            }
        }

        /// What is read is what would have been sent, and says how a process ended.
        #[test]
        fn any_bytes_are_the_end_of_a_run_or_none(message in messages(DONE / 8)) {
            if let Some(done) = Done::decode(&message) {
                prop_assert_eq!(&done.encode()[..], &message[..]);
                if let Done::Ended(Ending { status, .. }) = done {
                    prop_assert!(libc::WIFEXITED(status) != libc::WIFSIGNALED(status));
                }
            }
        }

        #[test]
        fn any_end_survives_the_wire(code in any::<u8>(), signal in 1..=64_i32, numbers in any::<[u64; 3]>()) {
            let [wall_ns, switches_voluntary, switches_forced] = numbers;
            for status in [i32::from(code) << 8, signal, signal | 0x80] {
                let done =
                    Done::Ended(Ending { status, wall_ns, switches_voluntary, switches_forced });
                prop_assert_eq!(Done::decode(&done.encode()), Some(done));
            }
        }

        /// Any message, with any number of descriptors beside it, is one that agents send or none.
        #[test]
        fn an_agent_says_what_agents_say_or_nothing(
            kind in 0..4_u8,
            rest in messages(2),
            count in 0..=FDS_MAX,
        ) {
            let (ours, theirs) =
                socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                    .unwrap();
            let message = [&[kind][..], &rest].concat();
            send_with(theirs.as_fd(), &message, &vec![theirs.as_fd(); count], None).unwrap();
            match Reply::receive(ours.as_fd()).unwrap() {
                None => {}
                Some(Reply::Ready) => prop_assert_eq!(message, [0]),
                Some(Reply::Armed { .. }) => prop_assert!(message == [1] && count >= 2),
                Some(Reply::Failed(failure)) => {
                    prop_assert_eq!(message, [&[2][..], &failure.encode()].concat());
                }
            }
        }
    }
}
