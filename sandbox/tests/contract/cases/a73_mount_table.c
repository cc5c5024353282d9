/*
 * attack: 73
 * title: calls of Linux 6.8 and later that read mounts or change their attributes
 * ends: exited 0
 * says: statmount=ENOSYS
 * says: listmount=ENOSYS
 * says: open_tree_attr=EPERM
 */
#include "say.h"

int main(void)
{
    /* struct mnt_id_req of linux/mount.h, for the root of this mount namespace. */
    struct { unsigned size, spare; unsigned long long mount, param, space; } request =
        { sizeof request, 0, ~0ULL, 1, 0 };
    unsigned long long found[64];
    TRY("statmount", syscall(457 /* statmount */, &request, found, sizeof found, 0));
    TRY("listmount", syscall(458 /* listmount */, &request, found, 64, 0));
    TRY("open_tree_attr", syscall(467 /* open_tree_attr */, AT_FDCWD, "/usr", 0, NULL, 0));
    return 0;
}
