//! One message over a `SOCK_SEQPACKET` socket pair, with descriptors beside it.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendFlags, recvmsg,
};

pub(super) use crate::sys::socket::{FDS_MAX, send as send_with};

/// Sends one message whole.
pub(super) fn send(socket: BorrowedFd<'_>, message: &[u8]) -> Result<(), Errno> {
    rustix::io::retry_on_intr(|| rustix::net::send(socket, message, SendFlags::NOSIGNAL)).map(drop)
}

/// Receives one message; length 0 means that the other end is gone. What was sent beside it and finds
/// no descriptor free is lost (`MSG_CTRUNC`, recvmsg(2)), and the message with it.
pub(super) fn receive(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
) -> Result<(usize, [Option<OwnedFd>; FDS_MAX]), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = rustix::io::retry_on_intr(|| {
        recvmsg(socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut fds = [const { None }; FDS_MAX];
    let received = control.drain().filter_map(|m| match m {
        RecvAncillaryMessage::ScmRights(fds) => Some(fds),
        _ => None,
    });
    for (slot, fd) in fds.iter_mut().zip(received.flatten()) {
        *slot = Some(fd);
    }
    if message.flags.contains(ReturnFlags::CTRUNC) {
        return Err(Errno::MFILE);
    }
    Ok((message.bytes, fds))
}
