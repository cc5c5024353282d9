//! Making, becoming and reaping processes: `clone3(2)`, `execve(2)`, `wait4(2)`, `_exit(2)`.
//!
//! Callers are the slot agent and what it starts. Each has one thread, and all of a slot share one
//! memory: nothing is copied when a box is made, and nothing has to be given back when it ends. So
//! nothing here may touch what the C library keeps per thread (`errno`): calls are raw.

use std::arch::asm;
use std::ffi::c_char;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
use rustix::process::Pid;
use syscalls::{Sysno, syscall};

use crate::native::filter::Key;

/// clone(2); libc's constant is an `int` and overflows.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Of a process that shares our memory. What runs on it calls the kernel from a shallow stack.
const STACK: usize = 256 << 10;

/// Below a stack, so that one that is too small faults. The largest page of any architecture.
const GUARD: usize = 64 << 10;

/// A stack for [`start`] and [`start_until_exec`]; it stays until this process ends.
#[derive(Debug)]
pub(crate) struct Stack {
    /// The lowest byte, guard included.
    base: *mut std::ffi::c_void,
}

impl Stack {
    pub(crate) fn new() -> Result<Self, Errno> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the kernel chooses the address, so nothing that exists is replaced.
        let base = unsafe {
            mmap_anonymous(std::ptr::null_mut(), GUARD + STACK, access, MapFlags::PRIVATE)?
        };
        // SAFETY: the lowest part of the mapping just made; nobody uses it yet.
        unsafe { mprotect(base, GUARD, MprotectFlags::empty())? };
        Ok(Self { base })
    }
}

/// A descriptor of the parent, by the number that the copy of it has in a process that it starts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inherited(i32);

impl Inherited {
    pub(crate) fn of(fd: impl AsFd) -> Self {
        Self(fd.as_fd().as_raw_fd())
    }

    /// Closes the copy in this process.
    pub(crate) fn close(self) {
        close(self.0);
    }
}

impl AsFd for Inherited {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the copy is this process's from its start to its exec, and closed only by it.
        unsafe { BorrowedFd::borrow_raw(self.0) }
    }
}

/// A process that runs on our memory. What it was given is its own until it is [reaped](wait_any),
/// which whoever drops this has done.
#[derive(Debug)]
pub(crate) struct Tenant<'a> {
    pidfd: OwnedFd,
    given: PhantomData<&'a mut ()>,
}

impl AsFd for Tenant<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

/// Starts `entry` in new namespaces (`CLONE_NEW*` bits), in a process with descriptors of its own
/// that shares our memory.
pub(crate) fn start<'a, T>(
    stack: &'a mut Stack,
    namespaces: u64,
    key: Key,
    given: &'a mut T,
    entry: extern "C" fn(&mut T) -> !,
) -> Result<Tenant<'a>, Errno> {
    let mut pidfd: libc::c_int = -1;
    let mut args = arguments(stack, namespaces | libc::CLONE_PIDFD as u64);
    args.pidfd = (&raw mut pidfd) as u64;
    clone(&args, key, given, entry)?;
    // SAFETY: CLONE_PIDFD stored a new descriptor that nothing else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Tenant { pidfd, given: PhantomData })
}

/// Starts `entry` in a process that shares our memory, into a cgroup v2 when given, and waits
/// until it has become another program or has ended: what `given` holds is ours again then.
pub(crate) fn start_until_exec<T>(
    stack: &mut Stack,
    cgroup: Option<BorrowedFd<'_>>,
    key: Key,
    given: &mut T,
    entry: extern "C" fn(&mut T) -> !,
) -> Result<Pid, Errno> {
    let mut args = arguments(stack, libc::CLONE_VFORK as u64);
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = u64::from(cgroup.as_raw_fd().cast_unsigned());
    }
    clone(&args, key, given, entry)
}

fn arguments(stack: &mut Stack, flags: u64) -> libc::clone_args {
    // SAFETY: clone_args is plain integers; zero means absent in each.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = libc::CLONE_VM as u64 | flags;
    args.exit_signal = libc::SIGCHLD as u64;
    args.stack = stack.base as u64 + GUARD as u64;
    args.stack_size = STACK as u64;
    args
}

/// The new process calls `entry`, on its own stack, as the first and last thing it does.
fn clone<T>(
    args: &libc::clone_args,
    key: Key,
    given: &mut T,
    entry: extern "C" fn(&mut T) -> !,
) -> Result<Pid, Errno> {
    let (args, given): (*const libc::clone_args, *mut T) = (args, given);
    let result: i64;
    // SAFETY: clone3 reads `args`, which is as large as it is said to be, and writes its pidfd. The
    // child has all registers of ours but the result and the stack pointer, which the kernel sets
    // to the end of a stack that nothing else runs on; it never comes back from `entry`. `given` is
    // borrowed for as long as the child may use it: by the caller's `Tenant`, or, with CLONE_VFORK,
    // because we do not run before the child is done with our memory.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, {given}",
            "call {entry}",
            "ud2",
            "2:",
            given = in(reg) given,
            entry = in(reg) entry,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") args,
            in("rsi") size_of::<libc::clone_args>(),
            in("r9") key.get(),
            out("rcx") _,
            out("r11") _,
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, {given}",
            "blr {entry}",
            "brk #1",
            "2:",
            given = in(reg) given,
            entry = in(reg) entry,
            in("x8") libc::SYS_clone3,
            inlateout("x0") args => result,
            in("x1") size_of::<libc::clone_args>(),
            in("x5") key.get(),
        );
    }
    match i32::try_from(result) {
        Ok(pid) if pid > 0 => Pid::from_raw(pid).ok_or(Errno::SRCH),
        Ok(error) => Err(Errno::from_raw_os_error(-error)),
        // Process ids have 22 bits (proc_sys_kernel(5)).
        Err(_) => Err(Errno::OVERFLOW),
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
    let mut status: libc::c_int = 0;
    // SAFETY: rusage is plain integers; wait4 fills it.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both out-pointers are to locals that live across the call.
        let pid = unsafe { syscall!(Sysno::wait4, -1_isize, &raw mut status, 0, &raw mut usage) };
        match pid.map_err(errno) {
            Ok(pid) => {
                return Ok(Ended {
                    pid: i32::try_from(pid).map_err(|_| Errno::OVERFLOW)?,
                    status,
                    switches_voluntary: usage.ru_nvcsw.cast_unsigned(),
                    switches_forced: usage.ru_nivcsw.cast_unsigned(),
                });
            }
            Err(Errno::INTR) => {}
            Err(e) => return Err(e),
        }
    }
}

/// From now on this process runs as soon as it can, before all that share the CPUs fairly (sched(7),
/// `SCHED_FIFO`); what it clones does not. Where the control group allows no real-time processes
/// (`CONFIG_RT_GROUP_SCHED`) it gets the largest fair share instead.
pub(crate) fn run_at_once(key: Key) -> Result<(), Errno> {
    let set = |policy, priority| {
        let parameters = libc::sched_param { sched_priority: priority };
        let policy = policy | libc::SCHED_RESET_ON_FORK;
        // SAFETY: the kernel reads a local.
        let r = unsafe { syscall!(Sysno::sched_setscheduler, 0, policy, &raw const parameters) };
        r.map(|_| ()).map_err(errno)
    };
    set(libc::SCHED_FIFO, 1).or_else(|_| {
        set(libc::SCHED_OTHER, 0)?;
        let (which, who, nice) = (libc::PRIO_PROCESS, 0, -20);
        // SAFETY: the call takes plain numbers.
        let r = unsafe { syscall!(Sysno::setpriority, which, who, nice, 0, 0, key.get()) };
        r.map(|_| ()).map_err(errno)
    })
}

/// Keeps this process, and what it becomes, to these CPUs (sched_setaffinity(2)).
pub(crate) fn keep_to(cpus: &rustix::thread::CpuSet, key: Key) -> Result<(), Errno> {
    let (size, cpus) = (size_of_val(cpus), std::ptr::from_ref(cpus));
    // SAFETY: a CpuSet is the kernel's set of bits, alive across the call, which only reads it.
    let r = unsafe { syscall!(Sysno::sched_setaffinity, 0, size, cpus, 0, 0, key.get()) };
    r.map(|_| ()).map_err(errno)
}

/// This thread's reading and writing of disks waits from now on until nobody else has any
/// (ioprio_set(2), the idle class; disks without a scheduler that knows it take no notice).
///
/// # Errors
/// The kernel does not let it.
pub fn yield_the_disk() -> std::io::Result<()> {
    // linux/ioprio.h: IOPRIO_WHO_PROCESS, IOPRIO_CLASS_IDLE << IOPRIO_CLASS_SHIFT.
    // SAFETY: plain numbers; it changes nothing of this process but its turns at disks.
    let r = unsafe { syscall!(Sysno::ioprio_set, 1, 0, 3 << 13) };
    r.map(|_| ()).map_err(|raw| errno(raw).into())
}

/// What this process executes from now on has the same addresses each time (personality(2)).
pub(crate) fn fix_addresses(key: Key) -> Result<(), Errno> {
    let (persona, key) = (libc::ADDR_NO_RANDOMIZE, key.get());
    // SAFETY: the call is about programs to come; it reads and writes nothing of this one.
    let r = unsafe { syscall!(Sysno::personality, persona, 0, 0, 0, 0, key) };
    r.map(|_| ()).map_err(errno)
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
    let failed = unsafe { syscall!(Sysno::execve, program, argv.as_ptr(), envp.as_ptr()) };
    failed.map_or_else(errno, |_| Errno::INVAL)
}

/// Ends this process at once, without running any exit handler of the copy it may be.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: _exit takes any value and does not return.
    unsafe { libc::_exit(code) }
}

pub(super) fn errno(raw: syscalls::Errno) -> Errno {
    Errno::from_raw_os_error(raw.into_raw())
}

/// `unshare(2)`; nothing here shares file descriptors with another thread.
pub(crate) fn unshare(namespaces: rustix::thread::UnshareFlags, key: Key) -> Result<(), Errno> {
    let key = key.get();
    // SAFETY: what makes it unsafe is CLONE_FILES, which no caller passes.
    let r = unsafe { syscall!(Sysno::unshare, namespaces.bits(), 0, 0, 0, 0, key) };
    r.map(|_| ()).map_err(errno)
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
        let _refused =
            unsafe { syscall!(Sysno::rt_sigaction, signal, &raw const default, 0usize, 8usize) };
    }
}

/// Closes a descriptor that is known only by its number.
pub(crate) fn close(fd: i32) {
    // SAFETY: called in a process of its own, for a descriptor that no value there owns.
    let _was_none = unsafe { syscall!(Sysno::close, fd) };
}

/// Marks every descriptor from `first` on to be closed by exec.
pub(crate) fn close_on_exec_from(first: u32) -> Result<(), Errno> {
    // SAFETY: close_range takes plain numbers; with CLOSE_RANGE_CLOEXEC nothing is closed now.
    let r = unsafe { syscall!(Sysno::close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    r.map(|_| ()).map_err(errno)
}
