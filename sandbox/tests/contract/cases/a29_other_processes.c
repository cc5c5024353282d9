/*
 * attack: 29, 73
 * title: traces, reads and takes descriptors of the first process of its box
 * ends: exited 0
 * says: attach=EPERM|ENOSYS
 * says: seize=EPERM|ENOSYS
 * says: read=EPERM|ENOSYS
 * says: write=EPERM|ENOSYS
 * says: getfd=EPERM|ENOSYS|EBADF
 */
#include "say.h"

int main(void)
{
    long word = 0;
    struct iovec here = { &word, sizeof word }, there = { &word, sizeof word };
    TRY("attach", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
    TRY("seize", ptrace(PTRACE_SEIZE, 1, NULL, NULL));
    TRY("read", process_vm_readv(1, &here, 1, &there, 1, 0));
    TRY("write", process_vm_writev(1, &here, 1, &there, 1, 0));
    int init = (int)syscall(SYS_pidfd_open, 1, 0);
    TRY("getfd", syscall(SYS_pidfd_getfd, init, 0, 0));
    return 0;
}
