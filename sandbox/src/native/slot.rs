//! A slot as the worker sees it: the agent's process, its control group and user id, and the phase
//! of the box in it. Dropping a slot, in whatever phase, ends the agent and the box.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Weak};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::{CWD, MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair, sockopt};
use rustix::process::{Signal, pidfd_send_signal};
use rustix::time::Timespec;

use super::agent::ARGV0;
use super::cpus::{Cpus, Seat};
use super::error::{SlotError, StepError, step};
use super::filter::{Key, Policy};
use super::process::{Agent, Stuck};
use super::run::Spare;
use super::socket;
use super::uids::Uids;
use super::views::Views;
use super::watch::Ends;
use super::wire::{Arm, BoxFolder, MESSAGE_MAX, Reply, Setup};
use super::work::{Left, Undertaker, WorkFs};
use crate::cgroup::{Entry, Group, Tree};
use crate::{Artefact, Cancel, Mount, sys};

/// This program, to be executed again, such that what runs as root cannot be changed through
/// `/proc/PID/exe` (CVE-2019-5736): by a read-only mount of its own, or else a sealed copy. A copy
/// costs a megabyte of memory and a millisecond for each megabyte of program.
fn this_program() -> Result<OwnedFd, StepError> {
    mounted()
        .or_else(|_| copied())
        .map_err(|source| StepError { step: "copy this program", source })
}

/// Refused where the program's file is not mounted in our namespace.
fn mounted() -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = open_tree(CWD, "/proc/self/exe", flags)?;
    sys::mount::lock_down(tree.as_fd(), false)?;
    Ok(tree)
}

fn copied() -> io::Result<OwnedFd> {
    let mut memory =
        File::from(memfd_create(ARGV0, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING)?);
    io::copy(&mut File::open("/proc/self/exe")?, &mut memory)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    fcntl_add_seals(&memory, seals)?;
    Ok(memory.into())
}

/// What all agents of an engine are made from.
#[derive(Debug)]
pub(super) struct Agents {
    tree: Tree,
    mounts: Vec<Mount>,
    policy: Policy,
    /// Declared after what lives in it: fields are dropped in order. The slots themselves are in the
    /// pool, which is dropped before all of this.
    uids: Uids,
    /// See [`this_program`].
    program: OwnedFd,
    views: Arc<Views>,
    stuck: Arc<Stuck>,
    /// `None` where nothing is pinned.
    cpus: Option<Arc<Cpus>>,
}

impl Agents {
    pub(super) fn new(
        tree: Tree,
        mounts: Vec<Mount>,
        policy: Policy,
        uids: Uids,
        views: Views,
        cpus: Option<Arc<Cpus>>,
    ) -> Result<Self, SlotError> {
        let (program, views, stuck) = (this_program()?, Arc::new(views), Arc::default());
        Ok(Self { tree, mounts, policy, uids, program, views, stuck, cpus })
    }

    /// Whether the slot of that number, which was dropped, has left nothing behind.
    pub(super) fn is_vacant(&self, number: u32) -> bool {
        self.tree.is_vacant(&group_name(number))
    }

    /// Reaps agents that have died since they were given up.
    pub(super) fn reap(&self) {
        self.stuck.reap();
    }

    pub(super) fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Starts an agent and asks it for its first box; does not wait for either.
    pub(super) fn start(&self, number: u32) -> Result<Slot<Arming>, SlotError> {
        let group = self.tree.group(&group_name(number)).map_err(SlotError::Cgroup)?;
        let uid = self.uids.of(number).map_err(SlotError::Uids)?;
        let (control, child) = self.spawn()?;
        let base = Base {
            agent: Agent { control, child: Some(child), stuck: Arc::clone(&self.stuck) },
            group,
            number,
            uid,
            residents: 0,
            shown: Weak::new(),
            views: Arc::clone(&self.views),
            seat: self.cpus.as_ref().map(Cpus::take),
            undertaker: Undertaker::default(),
        };
        let join = match base.group.entry() {
            Entry::Born(_) => Vec::new(),
            Entry::Joined(files) => files,
        };
        // On v1 the agent and the box's init live in the group.
        let residents = if join.is_empty() { 0 } else { 2 };
        let key = Key::draw().map_err(step("draw the slot's key"))?;
        let setup = Setup {
            uid,
            join,
            mounts: self.mounts.clone(),
            key,
            filter: self.policy.program(key),
            empty: self.views.empty().map(Path::to_owned),
            places: base.seat.as_ref().map(Seat::places),
        };
        let message = serde_json::to_vec(&setup)
            .map_err(|e| StepError { step: "write the slot's set-up", source: e.into() })?;
        socket::send(base.agent.control.as_fd(), &message).map_err(step("set up the agent"))?;
        Slot { base: Base { residents, ..base }, phase: () }.request(Left::Nothing, false)
    }

    fn spawn(&self) -> Result<(OwnedFd, Child), StepError> {
        let (ours, theirs) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
                .map_err(step("make the agent's socket"))?;
        sockopt::set_socket_send_buffer_size(&ours, 2 * MESSAGE_MAX)
            .map_err(step("size the agent's socket"))?;
        #[expect(clippy::disallowed_methods, reason = "this crate is where processes are started")]
        let mut command = Command::new(format!("/proc/self/fd/{}", self.program.as_raw_fd()));
        let child = command
            .arg0(ARGV0)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .map_err(|source| StepError { step: "start the agent", source })?;
        Ok((ours, child))
    }
}

fn group_name(number: u32) -> String {
    format!("slot-{number}")
}

/// A slot in a phase.
#[derive(Debug)]
pub(super) struct Slot<P> {
    base: Base,
    pub(super) phase: P,
}

/// What a slot keeps through all phases. The agent is dropped, and with it ended, before the group
/// it may live in is removed.
#[derive(Debug)]
struct Base {
    agent: Agent,
    group: Group,
    number: u32,
    uid: u32,
    residents: u32,
    /// What is mounted at `/box` for certain: what the last run had there, if its guest was started.
    /// It keeps the allocation, and so the identity, not the artefact.
    shown: Weak<Artefact>,
    views: Arc<Views>,
    seat: Option<Seat>,
    undertaker: Undertaker,
}

/// What becomes of `/box` for a run.
#[derive(Debug)]
pub(super) enum Shown {
    /// It is empty.
    Nothing,
    /// It stays as it is.
    Same,
    /// A detached mount to be put there.
    New(OwnedFd),
}

impl From<&Shown> for BoxFolder {
    fn from(shown: &Shown) -> Self {
        match shown {
            Shown::Nothing => Self::Empty,
            Shown::Same => Self::Keep,
            Shown::New(_) => Self::Mount,
        }
    }
}

/// The agent was asked for a box and has not been heard yet.
#[derive(Debug)]
pub(super) struct Arming {
    work: WorkFs,
    /// Whether the agent has said that it is set up.
    ready: bool,
}

/// What came of waiting for a box.
#[derive(Debug)]
pub(super) enum Waited {
    /// There is one.
    Armed(Slot<Armed>),
    /// The agent has not said so yet.
    InVain(Slot<Arming>),
}

/// A box waits for its command.
#[derive(Debug)]
pub(super) struct Armed {
    pub(super) work: WorkFs,
    /// To the box's init.
    pub(super) request: OwnedFd,
    /// Of the box's init.
    pub(super) init: OwnedFd,
    /// What the next run does not have to make.
    pub(super) spare: Spare,
}

/// The box is dead.
#[derive(Debug)]
pub(super) struct Spent {
    work: WorkFs,
    /// Closing these takes a while.
    _box: [OwnedFd; 2],
    _run: Ends,
}

impl<P> Slot<P> {
    pub(super) fn number(&self) -> u32 {
        self.base.number
    }

    pub(super) fn group(&self) -> &Group {
        &self.base.group
    }

    /// Tells the slot to end, which dropping it waits for.
    pub(super) fn dismiss(&self) {
        self.base.agent.dismiss();
    }

    /// Asks the agent for the next box, with a fresh work file system unless there is one to keep.
    fn request(self, left: Left, ready: bool) -> Result<Slot<Arming>, SlotError> {
        let Self { mut base, phase: _ } = self;
        let anew = base.group.renew().map_err(SlotError::Cgroup)?;
        let kept = matches!(left, Left::Same(_));
        let fresh = || WorkFs::new(base.uid);
        let (work, former) = match left {
            Left::Same(work) => (work, None),
            Left::Nothing => (fresh()?, None),
            Left::Large(former) => (fresh()?, Some(former)),
        };
        let (group, lists) = match base.group.entry() {
            Entry::Born(group) => (Some(group), Vec::new()),
            Entry::Joined(files) if anew => (None, lists(&files)?),
            Entry::Joined(_) => (None, Vec::new()),
        };
        let join = lists.iter().map(AsFd::as_fd).collect();
        let arm = Arm { work: (!kept).then(|| work.mount()), group, join };
        arm.send(base.agent.control.as_fd()).map_err(step("ask for a box"))?;
        if let Some(former) = former {
            base.undertaker.bury(former, base.agent.control.as_fd());
        }
        Ok(Slot { base, phase: Arming { work, ready } })
    }
}

/// Opens the lists of processes of a group.
fn lists(files: &[PathBuf]) -> Result<Vec<OwnedFd>, StepError> {
    let open = |file| rustix::fs::open(file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
    files.iter().map(open).collect::<Result<_, _>>().map_err(step("open the control group's list"))
}

impl Slot<Arming> {
    /// Waits for each message of the agent, so long at most and while `cancel` is not set.
    pub(super) fn wait(
        self,
        patience: Duration,
        cancel: Option<&Cancel>,
    ) -> Result<Waited, SlotError> {
        let Self { mut base, phase: Arming { work, mut ready } } = self;
        loop {
            if !readable_unless(cancel, base.agent.control.as_fd(), patience) {
                return Ok(Waited::InVain(Slot { base, phase: Arming { work, ready } }));
            }
            let heard = Reply::receive(base.agent.control.as_fd());
            match heard.map_err(step("receive what the agent sends"))? {
                Some(Reply::Ready) if !ready => ready = true,
                Some(Reply::Armed { request, init }) if ready => {
                    base.group.joined();
                    base.undertaker.armed();
                    let phase = Armed { work, request, init, spare: Spare::default() };
                    return Ok(Waited::Armed(Slot { base, phase }));
                }
                Some(Reply::Failed(failure)) => return Err(failure.into()),
                _ => return Err(SlotError::AgentGone),
            }
        }
    }
}

impl Slot<Armed> {
    /// Sets the limits of the run that is about to start.
    pub(super) fn begin(&mut self, limits: &crate::Limits) -> Result<(), SlotError> {
        let Base { group, residents, .. } = &mut self.base;
        group.begin(limits.memory, limits.processes, *residents).map_err(SlotError::Cgroup)?;
        Ok(self.phase.work.begin(limits.disk, limits.inodes)?)
    }

    /// What the box's `/box` has to become for a run of `artefact`. Whether it does is not known
    /// before the guest was started: a box may be killed on the way there, or between two mounts.
    pub(super) fn show(&mut self, artefact: Option<&Arc<Artefact>>) -> Result<Shown, StepError> {
        let before = std::mem::take(&mut self.base.shown);
        let Some(artefact) = artefact else { return Ok(Shown::Nothing) };
        // By identity and not by path: a folder that was removed may have been made again.
        let same = std::ptr::eq(before.as_ptr(), Arc::as_ptr(artefact));
        Ok(match same {
            true => Shown::Same,
            false => Shown::New(self.base.views.artefact(artefact)?),
        })
    }

    /// The guest was started, with `artefact` at `/box`.
    pub(super) fn shown(&mut self, artefact: Option<&Arc<Artefact>>) {
        self.base.shown = artefact.map(Arc::downgrade).unwrap_or_default();
    }

    /// Makes what the next run needs ahead of it. What cannot be had now that run asks for itself.
    pub(super) fn prepare(&mut self) {
        self.phase.spare = Spare::make().unwrap_or_default();
    }

    /// Kills the box, all of it at once: its init takes the whole pid namespace with it, and on v2
    /// the group goes in the same instant.
    pub(super) fn kill(&self) {
        // Dead already is as good as killed.
        let _dead = pidfd_send_signal(&self.phase.init, Signal::KILL);
        let _emptied = self.base.group.kill();
    }

    /// The box is dead: checks that nothing of it is left.
    pub(super) fn spent(self, ends: Ends) -> Result<Slot<Spent>, SlotError> {
        let count = self.base.group.processes().map_err(SlotError::Cgroup)?;
        // The agent stays; init is dead but may not have been reaped by it yet.
        match count.saturating_sub(self.base.residents) {
            0 => {}
            count => return Err(SlotError::Survivors { count }),
        }
        let Self { base, phase: Armed { work, request, init, .. } } = self;
        Ok(Slot { base, phase: Spent { work, _box: [request, init], _run: ends } })
    }
}

impl Slot<Spent> {
    /// Goes on to the next box.
    pub(super) fn rearm(self) -> Result<Slot<Arming>, SlotError> {
        let Self { base, phase: Spent { work, .. } } = self;
        Slot { base, phase: () }.request(work.left(), true)
    }
}

/// Waits until `fd` can be read or has ended.
pub(super) fn readable(fd: BorrowedFd<'_>, patience: Duration) -> bool {
    readable_unless(None, fd, patience)
}

/// The same, but not when `cancel` is set before.
fn readable_unless(cancel: Option<&Cancel>, fd: BorrowedFd<'_>, patience: Duration) -> bool {
    let never = || PollFd::new(&fd, PollFlags::empty());
    let cancel = cancel.map_or_else(never, |cancel| PollFd::new(cancel, PollFlags::IN));
    let mut fds = [PollFd::new(&fd, PollFlags::IN), cancel];
    let timeout = Timespec::try_from(patience).unwrap_or_default();
    let polled = rustix::io::retry_on_intr(|| poll(&mut fds, Some(&timeout)));
    polled.is_ok() && !fds[0].revents().is_empty()
}
