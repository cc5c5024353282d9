//! The slot agent: one small single-threaded process a slot, the same binary re-executed. It owns
//! the slot's namespaces and root, arms one box after the other, and takes everything with it when
//! it dies: its boxes' first processes carry `PR_SET_PDEATHSIG`, and they are pid 1 of theirs.
//!
//! A box is two processes that run on the agent's memory until one of them becomes the guest: its
//! init, and the payload, for which init waits (`CLONE_VM`, `CLONE_VFORK`; clone(2)). Copies of the
//! agent instead cost as much as the guest's own exec.
//!
//! Worker to agent: one [`Setup`], then one message with descriptors for each box to arm. The
//! worker closing its end, or dying, ends the agent and the box.

mod init;
mod payload;
mod root;

use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use rustix::process::{Resource, Rlimit, Signal, pidfd_send_signal, setrlimit, umask};
use rustix::thread::{CpuSet, UnshareFlags, sched_setaffinity};

pub(super) use root::BASE;

use super::cpus::Places;
use super::filter::Key;
use super::socket;
use super::wire::{Arm, Failure, MESSAGE_MAX, Reply, Setup, Step};
use crate::sys;
use crate::sys::mount::{clone_folder, place};
use crate::sys::process::{Inherited, Stack, Tenant, default_signals, exit, start, wait_any};

/// What the worker names the process when it starts one.
pub(super) const ARGV0: &str = "evalx-agent";

/// Where the work file system itself is mounted, if it has to be: only root may enter. Before Linux
/// 6.15 a folder can be cloned only from a file system that is mounted here (fs/namespace.c,
/// may_copy_tree).
const WHOLE: &CStr = c"/.work";

/// Where its folders appear in the box.
const WORK: [(&CStr, &CStr); 3] = [(c"w", c"/w"), (c"t", c"/tmp"), (c"s", c"/dev/shm")];

/// Becomes a slot agent if this process was started as one; else returns at once. Every binary
/// that uses the native engine calls this first in `main`.
pub fn enter_if_asked() {
    if std::env::args_os().next().is_some_and(|name| name == ARGV0) {
        let failed = serve(rustix::stdio::stdin()).err();
        exit(i32::from(failed.is_some()));
    }
}

/// What a step's failure looks like to the worker.
fn at(step: Step) -> impl FnOnce(Errno) -> Failure {
    move |errno| Failure { step, errno }
}

/// The slot's life. Ends when the worker closes its end, or at the first failure, which it is
/// told: a slot that failed is thrown away, never mended.
fn serve(worker: BorrowedFd<'_>) -> Result<(), Failure> {
    let told = |failure: Failure| {
        // The worker may be gone; then nobody is left to tell.
        let _told = Reply::Failed(failure).send(worker, None);
        failure
    };
    let mut slot = Slot::set_up(worker).map_err(told)?;
    Reply::Ready.send(worker, None).map_err(at(Step::Receive))?;
    let mut request = next(worker).map_err(told)?;
    while let Some(arm) = request.take() {
        request = slot.serve(worker, arm).map_err(told)?;
    }
    Ok(())
}

struct Slot {
    /// What init runs on.
    stack: Stack,
    given: init::Given,
    told: Told,
}

/// What is told of a run's calls.
///
/// The slot's ipc namespace is every run's until one may have made something there: making and ending
/// one costs a tenth of a short run, and no program of a contest uses it. Locks of ranges and
/// connections are counted.
struct Told {
    /// Hears of each such call. `None`: another one, who wants to hear of something else, has the
    /// machine's only one (seccomp(2), `EBUSY`).
    listener: Option<sys::seccomp::Listener>,
    /// That the last run may have made something in the ipc namespace, as far as is known.
    ipc: bool,
    /// Calls of the run that were answered.
    answered: u32,
    /// What else the run has called that is told of.
    others: u32,
}

/// So often a run may lock or unlock ranges of files, which SQLite does six times a transaction, and
/// connect. What the kernel keeps of one is 192 bytes, or a kilobyte.
const OTHERS: u32 = 20_000;

/// So many calls of a run are answered, which takes time of ours; who makes more waits for its end.
const ANSWERED: u32 = 100_000;

impl Told {
    /// Loads the slot's filter.
    fn load(filter: &[super::filter::Op]) -> Result<Self, Errno> {
        match sys::seccomp::Listener::load(filter) {
            Ok(listener) => {
                Ok(Self { listener: Some(listener), ipc: false, answered: 0, others: 0 })
            }
            Err(Errno::BUSY) => {
                sys::seccomp::load(&super::filter::untold(filter))?;
                Ok(Self { listener: None, ipc: false, answered: 0, others: 0 })
            }
            Err(other) => Err(other),
        }
    }

    /// Before a run: a namespace in which nobody has made anything, and nothing counted.
    fn renew(&mut self, key: Key) -> Result<(), Errno> {
        (self.answered, self.others) = (0, 0);
        if std::mem::replace(&mut self.ipc, self.listener.is_none()) {
            sys::process::unshare(UnshareFlags::NEWIPC, key)?;
        }
        Ok(())
    }

    /// Waits until `worker` says something, and answers whoever makes such a call.
    fn watch(&mut self, worker: BorrowedFd<'_>) -> Result<(), Errno> {
        loop {
            let mut fds =
                [PollFd::new(&worker, PollFlags::IN), PollFd::new(&worker, PollFlags::empty())];
            if let Some(listener) = self.listener.as_ref().filter(|_| self.answered < ANSWERED) {
                fds[1] = listener.poll_fd();
            }
            rustix::io::retry_on_intr(|| poll(&mut fds, None))?;
            let [said, told] = fds.map(|fd| !fd.revents().is_empty());
            if said {
                return Ok(());
            }
            if let (true, Some(listener)) = (told, &self.listener) {
                self.answered += 1;
                let (ipc, others) = (&mut self.ipc, &mut self.others);
                listener.answer(|call| decide(call, ipc, others))?;
            }
        }
    }
}

/// Takes note of a call, by its number.
fn decide(call: i32, ipc: &mut bool, others: &mut u32) -> Result<(), Errno> {
    let refused = match i64::from(call) {
        libc::SYS_fcntl => Errno::NOLCK,
        libc::SYS_connect => Errno::CONNREFUSED,
        _ => {
            *ipc = true;
            return Ok(());
        }
    };
    *others += 1;
    if *others > OTHERS { Err(refused) } else { Ok(()) }
}

/// What a guest is made from. The agent prepares it, then it is init's, then the payload's; each
/// has it alone until it gives it back.
struct Stage {
    uid: u32,
    key: Key,
    /// Where an engine is pinned.
    places: Option<Places<CpuSet>>,
    /// procfs of the machine's pid namespace; the only thing kept from outside of the root.
    proc: OwnedFd,
    room: payload::Room,
    /// The box's end of the socket to the worker.
    worker: Inherited,
    /// How far the payload came.
    start: payload::Start,
}

impl Slot {
    fn set_up(worker: BorrowedFd<'_>) -> Result<Self, Failure> {
        let mut buffer = vec![0; MESSAGE_MAX];
        let (length, _) = socket::receive(worker, &mut buffer).map_err(at(Step::Receive))?;
        let Setup { uid, join, mounts, key, filter, empty, places } =
            serde_json::from_slice(&buffer[..length])
                .map_err(|_| Failure { step: Step::Understand, errno: Errno::INVAL })?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let proc = rustix::fs::open("/proc", flags, Mode::empty()).map_err(at(Step::Root))?;
        join_groups(&join).map_err(at(Step::JoinGroup))?;
        let places = places.map(|places| places.sets());
        if let Some(places) = &places {
            sched_setaffinity(None, &places.aside).map_err(at(Step::Cpus))?;
        }
        spare(proc.as_fd());
        root::enter(&mounts, empty.as_deref(), uid, key)?;
        // Executed by a descriptor, it would be shown by that one's number.
        rustix::thread::set_name(c"evalx-agent").map_err(at(Step::Session))?;
        default_signals();
        umask(Mode::from(0o022));
        fixed_limits().map_err(at(Step::ResourceLimits))?;
        rustix::thread::set_no_new_privs(true).map_err(at(Step::Filter))?;
        let calls = Told::load(&filter).map_err(at(Step::Filter))?;
        let stack = || Stack::new().map_err(at(Step::Stack));
        let stage = Stage {
            uid,
            key,
            places,
            proc,
            room: payload::Room::new(),
            worker: Inherited::of(worker),
            start: payload::Start::Waits,
        };
        let other_end = Inherited::of(worker);
        let given = init::Given { stack: stack()?, group: None, other_end, stage };
        Ok(Self { stack: stack()?, given, told: calls })
    }

    /// Makes the next box, and waits until the worker wants another, or is gone; either ends it.
    fn serve(
        &mut self,
        worker: BorrowedFd<'_>,
        request: Arm<OwnedFd>,
    ) -> Result<Option<Arm<OwnedFd>>, Failure> {
        let key = self.given.stage.key;
        self.told.renew(key).map_err(at(Step::Unshare))?;
        request.join.iter().try_for_each(enter).map_err(at(Step::JoinGroup))?;
        let init = Self::arm(&mut self.stack, &mut self.given, worker, request)?;
        self.told.watch(worker).map_err(at(Step::Receive))?;
        end(init)?;
        let next = next(worker)?;
        if let Some(arm) = &next {
            clear(arm, key).map_err(at(Step::Unmount))?;
        }
        Ok(next)
    }

    /// Makes the next box up to the point where only the command is missing.
    fn arm<'a>(
        stack: &'a mut Stack,
        given: &'a mut init::Given,
        worker: BorrowedFd<'_>,
        request: Arm<OwnedFd>,
    ) -> Result<Tenant<'a>, Failure> {
        let key = given.stage.key;
        if let Some(work) = &request.work {
            mount_work(work.as_fd(), key).map_err(at(Step::Work))?;
        }
        let (ours, theirs) = socket_pair().map_err(at(Step::Sockets))?;
        given.group = request.group.as_ref().map(Inherited::of);
        given.other_end = Inherited::of(&theirs);
        given.stage.worker = Inherited::of(&ours);
        given.stage.start = payload::Start::Waits;
        let init = start(stack, libc::CLONE_NEWPID as u64, key, given, init::run)
            .map_err(at(Step::CloneInit))?;
        drop(ours);
        let pidfd = init.as_fd().try_clone_to_owned();
        let told = pidfd.map_err(|_| at(Step::CloneInit)(Errno::MFILE)).and_then(|pidfd| {
            let armed = Reply::Armed { request: theirs, init: pidfd };
            armed.send(worker, Some(key)).map_err(at(Step::Receive))
        });
        match told {
            Ok(()) => Ok(init),
            // Reaped here, or it would be left to whoever is pid 1 of the worker's.
            Err(failure) => end(init).and(Err(failure)),
        }
    }
}

/// Waits for the next request; `None` when the worker is gone.
fn next(worker: BorrowedFd<'_>) -> Result<Option<Arm<OwnedFd>>, Failure> {
    Arm::receive(worker).map_err(at(Step::Receive))
}

/// Takes away what the last box had and the next one shall not.
fn clear(next: &Arm<OwnedFd>, key: Key) -> Result<(), Errno> {
    detach(c"/proc", key)?;
    if next.work.is_none() {
        return Ok(());
    }
    let targets = WORK.map(|(_, target)| target).into_iter().chain([WHOLE]);
    targets.into_iter().try_for_each(|target| detach(target, key))
}

/// Limits that are the same for every run; guests inherit them. A core size of 1 and not 0, because
/// the kernel starts a core_pattern pipe even at 0 and aborts it at exactly 1 (fs/coredump.c,
/// do_coredump).
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

fn limit(resource: Resource, value: u64) -> Result<(), Errno> {
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
}

/// Moves this process, which has one thread, to control groups of v1.
fn join_groups(files: &[PathBuf]) -> Result<(), Errno> {
    files.iter().try_for_each(|path| {
        enter(&rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?)
    })
}

/// Moves this process to the control group of this list.
fn enter(list: &OwnedFd) -> Result<(), Errno> {
    rustix::io::write(list, b"0").map(|_| ())
}

/// Kills and reaps a box's init. Its exit means that the kernel has reaped every process of the box
/// (pid_namespaces(7)).
fn end(init: Tenant<'_>) -> Result<(), Failure> {
    // Dead already is as good as killed.
    let _dead = pidfd_send_signal(init.as_fd(), Signal::KILL);
    wait_any().map(|_| ()).map_err(at(Step::Reap))
}

/// Mounts the folders of the work file system.
fn mount_work(work: BorrowedFd<'_>, key: Key) -> Result<(), Errno> {
    let mount = || {
        WORK.into_iter().try_for_each(|(folder, target)| {
            let tree = clone_folder(work, folder, key)?;
            place(tree.as_fd(), target, key)
        })
    };
    match mount() {
        // An older kernel. Each mount less is one to unmount less, which waits for every CPU.
        Err(Errno::INVAL) => place(work, WHOLE, key).and_then(|()| mount()),
        mounted => mounted,
    }
}

/// Unmounts what a run left at `target`, however many times.
fn detach(target: &CStr, key: Key) -> Result<(), Errno> {
    loop {
        match sys::mount::detach(target, key) {
            Ok(()) => {}
            // Not a mount point (umount(2)): nothing is left.
            Err(Errno::INVAL) => return Ok(()),
            Err(e) => return Err(e),
        }
    }
}

fn socket_pair() -> Result<(OwnedFd, OwnedFd), Errno> {
    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
}

/// Of two of a group the kernel shall kill the guest, which has 1000. -1000 is only for
/// CAP_SYS_RESOURCE; 0 may be for others, too, and where a pod's processes have nearly 1000 (as those
/// of a pod without a limit of memory do) that decides it: what is not on a guest's own pages, as a
/// memfd, makes an agent of 995 look larger.
fn spare(proc: BorrowedFd<'_>) {
    for score in [c"-1000", c"0"] {
        // Neither: then the guest's score has to do.
        if write_at(proc, c"self/oom_score_adj", score.to_bytes()).is_ok() {
            return;
        }
    }
}

fn write_at(dir: BorrowedFd<'_>, name: &CStr, value: &[u8]) -> Result<(), Errno> {
    let file = rustix::fs::openat(dir, name, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, value).map(|_| ())
}
