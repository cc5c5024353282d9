//! Loading a filter, and hearing of what it tells: `seccomp(2)`, `seccomp_unotify(2)`.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use syscalls::{Sysno, syscall};

use super::process::errno;
use crate::native::filter::Op;

/// `struct sock_fprog` of linux/filter.h.
#[repr(C)]
struct Program {
    length: libc::c_ushort,
    ops: *const Op,
}

const SET_MODE_FILTER: libc::c_ulong = 1;

const NEW_LISTENER: libc::c_ulong = 8;

// Linux/seccomp.h: `_IOWR('!', 0, struct seccomp_notif)`, `_IOWR('!', 1, struct seccomp_notif_resp)`.
const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;

/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`: the call is done as it stands.
const CONTINUE: u32 = 1;

/// Loads `ops` for the calling process and all that it starts. Needs `no_new_privs`.
pub(crate) fn load(ops: &[Op]) -> Result<(), Errno> {
    set(ops, 0).map(drop)
}

/// Hears of each call that the filter tells of. The caller waits until it is let go on; until then
/// it has done nothing.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

impl Listener {
    /// Loads `ops` as [`load`] does. [`Errno::BUSY`]: an outer filter has a listener already, and
    /// there can be no second.
    pub(crate) fn load(ops: &[Op]) -> Result<Self, Errno> {
        let fd = RawFd::try_from(set(ops, NEW_LISTENER)?).map_err(|_| Errno::BADF)?;
        // SAFETY: with this flag the call answers with a new descriptor that nothing else owns.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Readable when somebody waits.
    pub(crate) fn poll_fd(&self) -> PollFd<'_> {
        PollFd::new(&self.0, PollFlags::IN)
    }

    /// Hears of one call, whose number decides: its caller goes on, or gets an error. One that has
    /// died meanwhile is no failure.
    pub(crate) fn answer(
        &self,
        decide: impl FnOnce(libc::c_int) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        let fd = self.0.as_fd().as_raw_fd();
        // SAFETY: of integers alone, for which zero is a value.
        let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the ioctl writes one seccomp_notif, whose size is part of its number.
        let heard = unsafe { syscall!(Sysno::ioctl, fd, RECEIVE, &raw mut call) };
        let told = heard.and_then(|_| {
            let (error, flags) = match decide(call.data.nr) {
                Ok(()) => (0, CONTINUE),
                Err(refused) => (-refused.raw_os_error(), 0),
            };
            let mut answer = libc::seccomp_notif_resp { id: call.id, val: 0, error, flags };
            // SAFETY: the ioctl reads one seccomp_notif_resp, whose size is part of its number.
            unsafe { syscall!(Sysno::ioctl, fd, SEND, &raw mut answer) }
        });
        match told.map_err(errno) {
            Ok(_) | Err(Errno::NOENT | Errno::INTR) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

fn set(ops: &[Op], flags: libc::c_ulong) -> Result<usize, Errno> {
    let length = libc::c_ushort::try_from(ops.len()).map_err(|_| Errno::INVAL)?;
    let program = Program { length, ops: ops.as_ptr() };
    // SAFETY: `program` points to `length` instructions laid out as sock_filter (repr(C)), alive
    // across the call; the kernel copies them.
    let r = unsafe { syscall!(Sysno::seccomp, SET_MODE_FILTER, flags, &raw const program) };
    r.map_err(errno)
}
