//! Loading a filter: `seccomp(2)`.

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

/// Loads `ops` for the calling process and all that it starts. Needs `no_new_privs`.
pub(crate) fn load(ops: &[Op]) -> Result<(), Errno> {
    let length = libc::c_ushort::try_from(ops.len()).map_err(|_| Errno::INVAL)?;
    let program = Program { length, ops: ops.as_ptr() };
    // SAFETY: `program` points to `length` instructions laid out as sock_filter (repr(C)), alive
    // across the call; the kernel copies them.
    let r = unsafe { syscall!(Sysno::seccomp, SET_MODE_FILTER, 0, &raw const program) };
    r.map(|_| ()).map_err(errno)
}
