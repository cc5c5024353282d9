//! Making, becoming and reaping processes: `clone3(2)`, `execve(2)`, `wait4(2)`, `_exit(2)`.
//!
//! Callers are single-threaded (the slot agent and what it clones), so the copy that `fork_into`
//! makes holds no lock that nobody will release.

use std::ffi::c_char;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

/// clone(2); libc's constant is an `int` and overflows.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Which side of a clone we are on.
pub(crate) enum Side {
    /// The new process.
    Child,
    /// The caller.
    Parent {
        /// The new process, as this pid namespace names it.
        pid: Pid,
        /// A handle on it that no other process can come to have.
        pidfd: OwnedFd,
    },
}

/// `fork`, with new namespaces (`CLONE_NEW*` bits), into a cgroup v2 when given.
pub(crate) fn fork_into(namespaces: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Side, Errno> {
    let mut pidfd: libc::c_int = -1;
    // SAFETY: clone_args is plain integers; zero means absent in each.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = namespaces | libc::CLONE_PIDFD as u64;
    args.pidfd = (&raw mut pidfd) as u64;
    args.exit_signal = libc::SIGCHLD as u64;
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(cgroup.as_raw_fd().cast_unsigned());
    }
    // SAFETY: without CLONE_VM the child runs on a copy of this address space; `args` and `pidfd`
    // live across the call; the caller is single-threaded (module doc).
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size_of_val(&args)) };
    match pid {
        0 => Ok(Side::Child),
        n if n < 0 => Err(last()),
        n => {
            let pid = i32::try_from(n).ok().and_then(Pid::from_raw);
            let pid = pid.expect("process ids are positive and have 22 bits (proc_sys_kernel(5))");
            // SAFETY: CLONE_PIDFD stored a new descriptor that nothing else owns.
            let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
            Ok(Side::Parent { pid, pidfd })
        }
    }
}

/// A process that ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ended {
    pub(crate) pid: i32,
    /// As `wait(2)` encodes it.
    pub(crate) status: i32,
    pub(crate) switches_voluntary: u64,
    pub(crate) switches_forced: u64,
}

/// Waits for any child.
pub(crate) fn wait_any() -> Result<Ended, Errno> {
    let mut status = 0;
    // SAFETY: rusage is plain integers; wait4 fills it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both out-pointers are to locals that live across the call.
        let pid = unsafe { libc::wait4(-1, &raw mut status, 0, &raw mut usage) };
        if pid >= 0 {
            return Ok(Ended {
                pid,
                status,
                switches_voluntary: usage.ru_nvcsw.cast_unsigned(),
                switches_forced: usage.ru_nivcsw.cast_unsigned(),
            });
        }
        if last() != Errno::INTR {
            return Err(last());
        }
    }
}

/// From now on this process runs as soon as it can, before all that share the CPUs fairly (sched(7),
/// `SCHED_FIFO`); what it clones does not. Where the control group allows no real-time processes
/// (`CONFIG_RT_GROUP_SCHED`) it gets the largest fair share instead.
pub(crate) fn run_at_once() -> Result<(), Errno> {
    let set = |policy, priority| {
        let parameters = libc::sched_param { sched_priority: priority };
        let policy = policy | libc::SCHED_RESET_ON_FORK;
        // SAFETY: the kernel reads a local.
        let r = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
        if r < 0 { Err(last()) } else { Ok(()) }
    };
    set(libc::SCHED_FIFO, 1).or_else(|_| {
        set(libc::SCHED_OTHER, 0)?;
        rustix::process::setpriority_process(None, -20)
    })
}

/// Asks for the CPU time of a thread, of any process. What it is, is of no interest: see the caller.
pub(crate) fn ask_clock(tid: i32) {
    // MAKE_THREAD_CPUCLOCK(tid, CPUCLOCK_SCHED) of include/linux/posix-timers_types.h.
    let clock = (!tid << 3) | 4 | 2;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a local that lives across the call; a clock that is gone is an errno.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
}

/// Becomes `program`. Returns only on failure.
///
/// `argv` and `envp` hold pointers to NUL-terminated strings that outlive the call, up to a null
/// pointer.
pub(crate) fn execve(
    program: *const c_char,
    argv: &[*const c_char],
    envp: &[*const c_char],
) -> Errno {
    debug_assert!(argv.iter().any(|p| p.is_null()), "argv ends with null");
    debug_assert!(envp.iter().any(|p| p.is_null()), "envp ends with null");
    // SAFETY: the doc's contract: NUL-terminated strings, null-terminated arrays, all alive.
    unsafe { libc::execve(program, argv.as_ptr(), envp.as_ptr()) };
    last()
}

/// Ends this process at once, without running any exit handler of the copy it may be.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: _exit takes any value and does not return.
    unsafe { libc::_exit(code) }
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

/// `unshare(2)`; nothing here shares file descriptors with another thread.
pub(crate) fn unshare(namespaces: rustix::thread::UnshareFlags) -> Result<(), Errno> {
    // SAFETY: what makes it unsafe is CLONE_FILES, which no caller passes.
    unsafe { rustix::thread::unshare_unsafe(namespaces) }
}

/// Sets every signal back to its default. Exec keeps what is ignored (execve(2)), and this process
/// was started with three ignored: `SIGPIPE` by the Rust runtime, 32 and 33 by the posix_spawn of
/// glibc, which keeps them for its threads and would refuse them in its own sigaction.
pub(crate) fn default_signals() {
    // struct kernel_sigaction: handler, flags, restorer, mask; zero is SIG_DFL and no flags.
    let default = [0u64; 4];
    for signal in 1..=64 {
        // SAFETY: the kernel reads `default`, which is as large as it takes the struct to be, and
        // writes nothing back. It refuses SIGKILL and SIGSTOP, which cannot be ignored anyway.
        unsafe {
            libc::syscall(libc::SYS_rt_sigaction, signal, &raw const default, 0usize, 8usize)
        };
    }
}

/// Closes a descriptor that is known only by its number.
pub(crate) fn close(fd: i32) {
    // SAFETY: called in a clone that is about to exec, for a standard stream that no value owns.
    unsafe { libc::close(fd) };
}

/// Marks every descriptor from `first` on to be closed by exec.
pub(crate) fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    // SAFETY: close_range takes plain numbers; with CLOSE_RANGE_CLOEXEC nothing is closed now.
    let r =
        unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if r < 0 { Err(last()) } else { Ok(()) }
}
