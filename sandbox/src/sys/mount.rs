//! `mount_setattr(2)`; and what is mounted and unmounted behind a slot's filter, with its key.
//! Callers of these run on a memory that is shared: calls are raw (see `process.rs`).

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;
use syscalls::{Sysno, syscall};

use super::process::errno;
use crate::native::filter::Key;

// linux/mount.h
const OPEN_TREE_CLONE: u32 = 1;
const OPEN_TREE_CLOEXEC: u32 = libc::O_CLOEXEC.cast_unsigned();
const MOVE_MOUNT_F_EMPTY_PATH: u32 = 4;

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

/// A detached copy of the mount of a folder below `whole` (open_tree(2)).
pub(crate) fn clone_folder(
    whole: BorrowedFd<'_>,
    folder: &CStr,
    key: Key,
) -> Result<OwnedFd, Errno> {
    let (flags, folder) = (OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC, folder.as_ptr());
    let whole = whole.as_raw_fd();
    // SAFETY: the path is a C string that is alive.
    let r = unsafe { syscall!(Sysno::open_tree, whole, folder, flags, 0, 0, key.get()) };
    let fd = RawFd::try_from(r.map_err(errno)?).map_err(|_| Errno::BADF)?;
    // SAFETY: the call answers with a new descriptor that nothing else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Moves a detached mount to its place (move_mount(2)).
pub(crate) fn place(tree: BorrowedFd<'_>, target: &CStr, key: Key) -> Result<(), Errno> {
    let (tree, empty, target) = (tree.as_raw_fd(), c"".as_ptr(), target.as_ptr());
    let (here, flags) = (libc::AT_FDCWD, MOVE_MOUNT_F_EMPTY_PATH);
    // SAFETY: both paths are C strings that are alive.
    let r = unsafe { syscall!(Sysno::move_mount, tree, empty, here, target, flags, key.get()) };
    r.map(|_| ()).map_err(errno)
}

/// Mounts a file system of that kind, which needs no source (mount(2)).
pub(crate) fn mount(
    kind: &CStr,
    target: &CStr,
    flags: libc::c_ulong,
    options: &CStr,
    key: Key,
) -> Result<(), Errno> {
    let (kind, target, options) = (kind.as_ptr(), target.as_ptr(), options.as_ptr());
    // SAFETY: all are C strings that are alive.
    let r = unsafe { syscall!(Sysno::mount, kind, target, kind, flags, options, key.get()) };
    r.map(|_| ()).map_err(errno)
}

/// Takes a mount out of the tree, whoever uses it still (umount(2)).
pub(crate) fn detach(target: &CStr, key: Key) -> Result<(), Errno> {
    let flags = libc::MNT_DETACH | libc::UMOUNT_NOFOLLOW;
    // SAFETY: the path is a C string that is alive.
    let r = unsafe { syscall!(Sysno::umount2, target.as_ptr(), flags, 0, 0, 0, key.get()) };
    r.map(|_| ()).map_err(errno)
}

fn last() -> Errno {
    Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}
