//! Starting isolate from a worker of many threads: `clone(2)` with `CLONE_VM | CLONE_VFORK`, so
//! that nothing of a large process is copied and the parent waits until the exec.
//!
//! The parent prepares everything; the child makes calls only. It runs on the parent's memory, so
//! what fails is left there as a step and an errno.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, MoveMountFlags, mount_change, move_mount};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use rustix::thread::UnshareFlags;

use super::process::default_signals;
use super::seccomp;
use crate::native::filter::Op;

/// Descriptors are moved out of the way of 0, 1, 2, … before the child puts them there.
const ASIDE: c_int = 64;

const STACK: usize = 64 << 10;

/// A process to be started.
#[derive(Debug)]
pub(crate) struct Launch<'a> {
    /// What to execute.
    pub(crate) program: &'a CStr,
    /// Its arguments, its name first.
    pub(crate) args: &'a [CString],
    /// Its whole environment.
    pub(crate) env: &'a [CString],
    /// What it finds open as 0, 1, 2, …; nothing else is open.
    pub(crate) fds: &'a [BorrowedFd<'a>],
    /// The files of the groups it joins.
    pub(crate) join: &'a [BorrowedFd<'a>],
    /// A detached mount that it alone sees, and where.
    pub(crate) mount: Option<(BorrowedFd<'a>, &'a CStr)>,
    /// The system call filter that it, and the guest after it, live under; none when empty.
    pub(crate) filter: &'a [Op],
    /// Whether it gets SIGTERM when the calling thread ends.
    pub(crate) mortal: bool,
}

/// A process that was started; it is a child of the calling process.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) pidfd: OwnedFd,
    pub(crate) pid: Pid,
}

/// The call that failed, in the parent or in the child.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step}")]
pub struct Failure {
    step: &'static str,
    #[source]
    errno: Errno,
}

impl Launch<'_> {
    /// Starts the process. When this returns, the program has been executed.
    pub(crate) fn start(&self) -> Result<Child, Failure> {
        let aside = |fd: &BorrowedFd<'_>| {
            rustix::io::fcntl_dupfd_cloexec(fd, ASIDE).map_err(failed("duplicate a descriptor"))
        };
        let fds = self.fds.iter().map(aside).collect::<Result<Vec<_>, _>>()?;
        let join = self.join.iter().map(aside).collect::<Result<Vec<_>, _>>()?;
        let mount = self.mount.as_ref().map(|(fd, _)| aside(fd)).transpose()?;
        let plan = Plan {
            launch: self,
            fds,
            join,
            mount,
            argv: pointers(self.args),
            envp: pointers(self.env),
            parent: rustix::process::getpid(),
            failure: Cell::new(None),
        };
        let child = plan.clone()?;
        match plan.failure.take() {
            None => Ok(child),
            Some(failure) => {
                // It has ended already; only the zombie is left.
                let _ended = rustix::process::waitid(
                    rustix::process::WaitId::PidFd(child.pidfd.as_fd()),
                    rustix::process::WaitIdOptions::EXITED,
                );
                Err(failure)
            }
        }
    }
}

fn failed(step: &'static str) -> impl Fn(Errno) -> Failure {
    move |errno| Failure { step, errno }
}

/// What the child needs, made by the parent.
struct Plan<'a> {
    launch: &'a Launch<'a>,
    fds: Vec<OwnedFd>,
    join: Vec<OwnedFd>,
    mount: Option<OwnedFd>,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    parent: Pid,
    /// Written by the child, read by the parent once the child is gone or has executed.
    failure: Cell<Option<Failure>>,
}

impl Plan<'_> {
    fn clone(&self) -> Result<Child, Failure> {
        let mut stack = vec![0u128; STACK / size_of::<u128>()];
        let top = stack.as_mut_ptr_range().end.cast::<c_void>();
        let mut pidfd: c_int = -1;
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
        let plan = ptr::from_ref(self).cast_mut().cast::<c_void>();
        // A handler that ran in the child would run on this process's memory.
        let mask = block_signals();
        // SAFETY: CLONE_VFORK suspends this thread until the child has executed or ended, so that
        // the stack, `self` and `pidfd` outlive the child's use of them; the stack is aligned to 16
        // and grows down from `top`.
        let pid = unsafe { libc::clone(enter, top, flags, plan, &raw mut pidfd) };
        let errno = last();
        restore_signals(&mask);
        let Some(pid) = Pid::from_raw(pid).filter(|_| pid > 0) else {
            return Err(Failure { step: "clone", errno });
        };
        // SAFETY: CLONE_PIDFD stored a new descriptor that nothing else owns.
        let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
        Ok(Child { pidfd, pid })
    }

    /// In the child: becomes the program. Allocates nothing and takes no lock.
    fn become_program(&self) -> Failure {
        match self.prepare() {
            Err(failure) => failure,
            Ok(()) => {
                // SAFETY: NUL-terminated strings of `launch` in arrays that end with null, all of
                // them the parent's and alive while it is suspended.
                unsafe {
                    libc::execve(
                        self.launch.program.as_ptr(),
                        self.argv.as_ptr(),
                        self.envp.as_ptr(),
                    )
                };
                Failure { step: "execute isolate", errno: last() }
            }
        }
    }

    fn prepare(&self) -> Result<(), Failure> {
        default_signals();
        rustix::process::setsid().map_err(failed("start a session"))?;
        if self.launch.mortal {
            // isolate takes SIGTERM for the wish to kill the box, and does so. Its own PDEATHSIG
            // stays through the exec because root executes (prctl(2)).
            rustix::process::set_parent_process_death_signal(Some(Signal::TERM))
                .map_err(failed("ask for a signal at the death of the parent"))?;
            if rustix::process::getppid() != Some(self.parent) {
                return Err(Failure { step: "outlive the parent", errno: Errno::SRCH });
            }
        }
        let join = self.take_descriptors()?;
        for fd in join {
            // "0" is the process that writes (cgroups(7)).
            rustix::io::write(fd, b"0").map_err(failed("join the control group"))?;
        }
        if let Some((_, target)) = self.launch.mount {
            let last = self.fds.len() + self.join.len();
            self.mount_alone(borrowed(last), target)?;
        }
        // isolate walks a tree of folders with one open a level; beyond the hard limit only those
        // with CAP_SYS_RESOURCE get, which a container seldom has.
        let hard = rustix::process::getrlimit(Resource::Nofile).maximum;
        let files = Rlimit { current: hard, maximum: hard };
        rustix::process::setrlimit(Resource::Nofile, files)
            .map_err(failed("raise the limit of open files"))?;
        // isolate asks for 0, with which the machine's core_pattern would start (fs/coredump.c); below
        // the filter that changes nothing.
        let core = Rlimit { current: Some(1), maximum: Some(1) };
        rustix::process::setrlimit(Resource::Core, core)
            .map_err(failed("limit the size of cores"))?;
        rustix::thread::set_no_new_privs(true).map_err(failed("set no_new_privs"))?;
        if !self.launch.filter.is_empty() {
            seccomp::load(self.launch.filter).map_err(failed("load the filter"))?;
        }
        // SAFETY: an empty set, on this stack.
        let empty = unsafe { std::mem::zeroed::<libc::sigset_t>() };
        restore_signals(&empty);
        Ok(())
    }

    /// Puts the descriptors where they belong and closes all others now rather than at the exec:
    /// joining a group may take tens of milliseconds, in which a pipe of another run that is open
    /// here by accident would not end.
    fn take_descriptors(&self) -> Result<impl Iterator<Item = BorrowedFd<'static>>, Failure> {
        let kept = self.fds.iter().map(|fd| (fd, 0));
        let used_here = self.join.iter().chain(&self.mount).map(|fd| (fd, libc::O_CLOEXEC));
        for (number, (fd, flags)) in (0..).zip(kept.chain(used_here)) {
            // SAFETY: in the child, whose table of descriptors is its own; every source is at
            // ASIDE or above, so that no target is a source still to come, nor its own source.
            let moved = unsafe { libc::dup3(fd.as_raw_fd(), number, flags) };
            if moved < 0 {
                return Err(Failure { step: "place a descriptor", errno: last() });
            }
        }
        let used = self.fds.len() + self.join.len() + usize::from(self.mount.is_some());
        // SAFETY: plain numbers; the table is the child's own and what it closes is not used here.
        let closed = unsafe { libc::syscall(libc::SYS_close_range, used, u32::MAX, 0) };
        if closed < 0 {
            return Err(Failure { step: "close what is not passed on", errno: last() });
        }
        Ok((self.fds.len()..self.fds.len() + self.join.len()).map(borrowed))
    }

    /// A mount namespace of its own: what is mounted there ends with isolate, whatever ends it.
    fn mount_alone(&self, tree: BorrowedFd<'_>, target: &CStr) -> Result<(), Failure> {
        let new = UnshareFlags::NEWNS | UnshareFlags::NEWUTS;
        // SAFETY: what makes it unsafe is CLONE_FILES, which is not asked for.
        unsafe { rustix::thread::unshare_unsafe(new) }.map_err(failed("unshare the mounts"))?;
        mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .map_err(failed("keep mounts private"))?;
        move_mount(tree, c"", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
            .map_err(failed("mount the work folder"))?;
        rustix::system::sethostname(b"evalx").map_err(failed("set the host name"))
    }
}

/// A descriptor of the child by its number.
fn borrowed(number: usize) -> BorrowedFd<'static> {
    let number = c_int::try_from(number).unwrap_or(c_int::MAX);
    // SAFETY: only asked for numbers that `take_descriptors` filled; they stay open until the exec.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// The child's main function.
extern "C" fn enter(plan: *mut c_void) -> c_int {
    // SAFETY: `Plan::clone` passes a plan that outlives the child's use of it.
    let plan = unsafe { &*plan.cast::<Plan<'_>>() };
    plan.failure.set(Some(plan.become_program()));
    127
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect()
}

fn block_signals() -> libc::sigset_t {
    // SAFETY: sigset_t is plain integers.
    let mut all = unsafe { std::mem::zeroed::<libc::sigset_t>() };
    // SAFETY: as above.
    let mut old = unsafe { std::mem::zeroed::<libc::sigset_t>() };
    // SAFETY: `all` is a local.
    unsafe { libc::sigfillset(&raw mut all) };
    // SAFETY: both sets are locals; SIG_SETMASK is a valid way to apply the first.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut old) };
    old
}

fn restore_signals(mask: &libc::sigset_t) {
    // SAFETY: `mask` is borrowed for the call; no old set is asked for.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, ptr::null_mut()) };
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}
