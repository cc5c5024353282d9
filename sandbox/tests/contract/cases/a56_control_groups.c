/*
 * attack: 56
 * title: leaves its control group
 * ends: exited 0
 * says: tree=ENOENT
 * says: procs=ENOENT
 * says: mount_v1=EPERM|ENOSYS
 * says: mount_v2=EPERM|ENOSYS
 */
#include "say.h"

int main(void)
{
    TRY("tree", open("/sys/fs/cgroup", O_RDONLY));
    TRY("procs", open("/sys/fs/cgroup/memory/cgroup.procs", O_WRONLY));
    TRY("mount_v1", mount("none", "/w", "cgroup", 0, "memory"));
    TRY("mount_v2", mount("none", "/w", "cgroup2", 0, NULL));
    return 0;
}
