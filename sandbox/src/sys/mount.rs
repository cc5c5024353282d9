//! `mount_setattr(2)`.

use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::Errno;

/// `struct mount_attr` of linux/mount.h.
#[repr(C)]
struct Attr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns_fd: u64,
}

const RDONLY: u64 = 0x1;
const NOSUID: u64 = 0x2;
const NODEV: u64 = 0x4;

/// Makes a mount (and those below it) read-only and without set-user-id programs; without device
/// nodes too, unless `devices`.
pub(crate) fn lock_down(mount: BorrowedFd<'_>, devices: bool) -> Result<(), Errno> {
    let set = if devices { RDONLY | NOSUID } else { RDONLY | NOSUID | NODEV };
    let attr = Attr { set, clear: 0, propagation: 0, userns_fd: 0 };
    // SAFETY: `attr` lives across the call and its size is passed; the path is a static C string,
    // and `mount` is open for as long as it is borrowed.
    let r = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | libc::AT_RECURSIVE,
            &raw const attr,
            size_of::<Attr>(),
        )
    };
    if r < 0 { Err(last()) } else { Ok(()) }
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}
