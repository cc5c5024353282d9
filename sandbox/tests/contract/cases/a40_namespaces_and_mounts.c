/*
 * attack: 40
 * title: new namespaces and mounts
 * ends: exited 0
 * says: user=EPERM|ENOSYS|EINVAL
 * says: user_and_mount=EPERM|ENOSYS|EINVAL
 * says: mount=EPERM|ENOSYS
 * says: net=EPERM|ENOSYS
 * says: pid=EPERM|ENOSYS
 * says: cgroup=EPERM|ENOSYS
 * says: clone=EPERM|ENOSYS|EINVAL
 * says: tmpfs=EPERM|ENOSYS
 * says: remount=EPERM|ENOSYS
 * says: umount=EPERM|ENOSYS
 * says: pivot_root=EPERM|ENOSYS
 * says: chroot=EPERM|ENOSYS
 * says: fsopen=EPERM|ENOSYS
 * says: open_tree=EPERM|ENOSYS
 * says: sethostname=EPERM|ENOSYS
 */
#include "say.h"

int main(void)
{
    TRY("user", unshare(CLONE_NEWUSER));
    TRY("user_and_mount", unshare(CLONE_NEWUSER | CLONE_NEWNS));
    TRY("mount", unshare(CLONE_NEWNS));
    TRY("net", unshare(CLONE_NEWNET));
    TRY("pid", unshare(CLONE_NEWPID));
    TRY("cgroup", unshare(CLONE_NEWCGROUP));
    errno = 0;
    long child = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (child == 0)
        _exit(0);
    say("clone", child == -1 ? errno_name(errno) : "ok");
    TRY("tmpfs", mount("none", "/w", "tmpfs", 0, NULL));
    TRY("remount", mount(NULL, "/box", NULL, MS_REMOUNT | MS_BIND, NULL));
    TRY("umount", umount2("/box", MNT_DETACH));
    TRY("pivot_root", syscall(SYS_pivot_root, "/w", "/w"));
    TRY("chroot", chroot("/w"));
    TRY("fsopen", syscall(SYS_fsopen, "tmpfs", 0));
    TRY("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/usr", 1 /* OPEN_TREE_CLONE */));
    TRY("sethostname", sethostname("x", 1));
    return 0;
}
