/*
 * attack: 13
 * title: locked, huge and swapped memory
 * ends: exited 0
 * says: mlock=EPERM|ENOMEM|ENOSYS
 * says: huge_mmap=EPERM
 * says: huge_memfd=EPERM
 * says: huge_shm=EPERM|ENOMEM|EINVAL|ENOSYS
 * says: swapon=EPERM|ENOSYS
 * says: swapoff=EPERM|ENOSYS
 */
#include "say.h"
#include <sys/shm.h>
#include <sys/swap.h>

int main(void)
{
    const size_t size = 64 << 20;
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRY("mlock", mlock(at, size));
    TRY("huge_mmap", mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0));
    TRY("huge_memfd", memfd_create("huge", MFD_HUGETLB));
    TRY("huge_shm", shmget(IPC_PRIVATE, 4 << 20, IPC_CREAT | SHM_HUGETLB | 0600));
    TRY("swapon", swapon("/tmp/none", 0));
    TRY("swapoff", swapoff("/tmp/none"));
    return 0;
}
