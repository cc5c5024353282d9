//! Sending descriptors: `sendmsg(2)` with `SCM_RIGHTS` (unix(7)). Raw, because the slot's own filter
//! lets only that call pass which has the key as an argument that the kernel does not look at.

use std::os::fd::{AsRawFd, BorrowedFd, RawFd};

use rustix::io::Errno;
use syscalls::{Sysno, syscall};

use super::process::errno;
use crate::native::filter::Key;

/// The most descriptors beside a message.
pub(crate) const FDS_MAX: usize = 4;

/// Descriptors as they travel: behind a header whose size keeps them aligned (cmsg(3)).
#[repr(C)]
struct Control {
    header: libc::cmsghdr,
    fds: [RawFd; FDS_MAX],
}

impl Control {
    /// `None` when there are too many.
    fn of(fds: &[BorrowedFd<'_>]) -> Option<Self> {
        let mut all = [-1; FDS_MAX];
        all.get_mut(..fds.len())?.iter_mut().zip(fds).for_each(|(slot, fd)| *slot = fd.as_raw_fd());
        let header = libc::cmsghdr {
            cmsg_len: size_of::<libc::cmsghdr>() + size_of_val(fds),
            cmsg_level: libc::SOL_SOCKET,
            cmsg_type: libc::SCM_RIGHTS,
        };
        Some(Self { header, fds: all })
    }
}

/// Sends one message whole, with descriptors beside it. Who is below a slot's filter needs its key.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    message: &[u8],
    fds: &[BorrowedFd<'_>],
    key: Option<Key>,
) -> Result<(), Errno> {
    let mut control = Control::of(fds).ok_or(Errno::TOOBIG)?;
    let mut part =
        libc::iovec { iov_base: message.as_ptr().cast_mut().cast(), iov_len: message.len() };
    // SAFETY: integers and pointers, for which zero is a value.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    if !fds.is_empty() {
        header.msg_control = (&raw mut control).cast();
        header.msg_controllen = control.header.cmsg_len;
    }
    let (socket, key) = (socket.as_raw_fd(), key.map_or(0, Key::get));
    rustix::io::retry_on_intr(|| {
        // SAFETY: the kernel reads what `header` points to, all of which is alive across the call.
        let sent = unsafe {
            syscall!(Sysno::sendmsg, socket, &raw const header, libc::MSG_NOSIGNAL, 0, 0, key)
        };
        sent.map(drop).map_err(errno)
    })
}
