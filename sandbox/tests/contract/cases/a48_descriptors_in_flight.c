/*
 * attack: 46, 47, 48
 * title: descriptors in flight, which outlive the run with their names and locks
 * ends: exited 0
 * says: sent=EPERM
 * says: many=EPERM
 * says: plain=ok
 * says: heard=ok
 */
#include "say.h"

int main(void)
{
    int pair[2];
    struct { struct cmsghdr header; int fd; } control = {
        { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS }, 0 };
    char byte = 'x';
    struct iovec part = { &byte, 1 };
    struct mmsghdr message = { .msg_hdr = { .msg_iov = &part, .msg_iovlen = 1,
        .msg_control = &control, .msg_controllen = CMSG_LEN(sizeof(int)) } };
    socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
    TRY("sent", sendmsg(pair[0], &message.msg_hdr, MSG_DONTWAIT));
    TRY("many", sendmmsg(pair[0], &message, 1, MSG_DONTWAIT));
    TRY("plain", send(pair[0], &byte, 1, MSG_DONTWAIT));
    TRY("heard", recvmsg(pair[1], &message.msg_hdr, MSG_DONTWAIT));
    return 0;
}
