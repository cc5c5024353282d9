/*
 * attack: 57
 * title: devices beyond the harmless ones
 * ends: exited 0
 * says: kvm=ENOENT
 * says: fuse=ENOENT
 * says: disk=ENOENT
 * says: mem=ENOENT
 * says: kmsg=ENOENT
 * says: ptmx=ENOENT
 * says: vsock=ENOENT
 * says: tun=ENOENT
 * says: loop=ENOENT
 * says: null=ok
 * says: zero=ok
 * says: random=ok
 */
#include "say.h"

int main(void)
{
    TRY("kvm", open("/dev/kvm", O_RDWR));
    TRY("fuse", open("/dev/fuse", O_RDWR));
    TRY("disk", open("/dev/vda", O_RDONLY));
    TRY("mem", open("/dev/mem", O_RDONLY));
    TRY("kmsg", open("/dev/kmsg", O_RDONLY));
    TRY("ptmx", open("/dev/ptmx", O_RDWR));
    TRY("vsock", open("/dev/vsock", O_RDWR));
    TRY("tun", open("/dev/net/tun", O_RDWR));
    TRY("loop", open("/dev/loop-control", O_RDWR));
    TRY("null", open("/dev/null", O_RDWR));
    TRY("zero", open("/dev/zero", O_RDONLY));
    TRY("random", open("/dev/urandom", O_RDONLY));
    return 0;
}
