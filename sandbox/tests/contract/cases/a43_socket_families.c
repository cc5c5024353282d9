/*
 * attack: 43, 79
 * title: sockets of every family that leads somewhere
 * ends: exited 0
 * says: vsock=EAFNOSUPPORT|EPERM|EACCES
 * says: alg=EAFNOSUPPORT|EPERM|EACCES
 * says: packet=EAFNOSUPPORT|EPERM|EACCES
 * says: netlink=EAFNOSUPPORT|EPERM|EACCES
 * says: raw=EAFNOSUPPORT|EPERM|EACCES
 * says: ping=EAFNOSUPPORT|EPERM|EACCES
 * says: bluetooth=EAFNOSUPPORT|EPERM|EACCES
 */
#include "say.h"

int main(void)
{
    TRY("vsock", socket(AF_VSOCK, SOCK_STREAM, 0));
    TRY("alg", socket(AF_ALG, SOCK_SEQPACKET, 0));
    TRY("packet", socket(AF_PACKET, SOCK_RAW, 0));
    TRY("netlink", socket(AF_NETLINK, SOCK_RAW, 12 /* NETLINK_NETFILTER */));
    TRY("raw", socket(AF_INET, SOCK_RAW, 1));
    TRY("ping", socket(AF_INET, SOCK_DGRAM, 1));
    TRY("bluetooth", socket(AF_BLUETOOTH, SOCK_RAW, 1));
    return 0;
}
