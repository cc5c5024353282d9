/*
 * attack: 50, 73, 75, 76, 77
 * title: newer system calls that reach into others or out of the box
 * ends: exited 0
 * says: process_madvise=EPERM|ENOSYS
 * says: process_mrelease=EPERM|ENOSYS
 * says: memfd_secret=EPERM|ENOSYS
 * says: listener=EPERM|ENOSYS|EINVAL
 * says: time_namespace=EPERM|ENOSYS|EINVAL
 * says: setns=EPERM|ENOSYS
 * says: mount_setattr=EPERM|ENOSYS
 * says: fspick=EPERM|ENOSYS
 * says: name_to_handle=EPERM|ENOSYS
 * says: fanotify=EPERM|ENOSYS
 * says: kcmp=EPERM|ENOSYS
 * says: lsm_widened=0
 * isolate-because: isolate itself installs a filter, so the call is open; a listener hears only those who installed it
 * isolate-says: listener=ok|EPERM|ENOSYS
 */
#include "say.h"
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

int main(void)
{
    char page[1];
    struct iovec part = { page, sizeof page };
    int init = (int)syscall(SYS_pidfd_open, 1, 0);
    TRY("process_madvise", syscall(SYS_process_madvise, init, &part, 1, MADV_COLD, 0));
    TRY("process_mrelease", syscall(448 /* process_mrelease */, init, 0));
    TRY("memfd_secret", syscall(447 /* memfd_secret */, 0));
    struct sock_filter allow = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
    struct sock_fprog program = { 1, &allow };
    TRY("listener", syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                            SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    TRY("time_namespace", unshare(CLONE_NEWTIME));
    TRY("setns", setns(init, CLONE_NEWPID));
    char attr[32] = { 0 };
    TRY("mount_setattr", syscall(442 /* mount_setattr */, AT_FDCWD, "/usr", 0, attr, sizeof attr));
    TRY("fspick", syscall(SYS_fspick, AT_FDCWD, "/usr", 0));
    struct { struct file_handle head; char bytes[128]; } handle = { .head.handle_bytes = 128 };
    int mount;
    TRY("name_to_handle", name_to_handle_at(AT_FDCWD, "/usr", &handle.head, &mount, 0));
    TRY("fanotify", syscall(SYS_fanotify_init, 0x200 /* FAN_REPORT_FID */, O_RDONLY));
    TRY("kcmp", syscall(SYS_kcmp, 1, getpid(), 0, 0, 0));
    /* Landlock only ever takes away: what was refused before stays refused. */
    struct landlock_ruleset_attr rules = { .handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE };
    int ruleset = (int)syscall(SYS_landlock_create_ruleset, &rules, sizeof rules, 0);
    if (ruleset != -1)
        syscall(SYS_landlock_restrict_self, ruleset, 0);
    say_number("lsm_widened", open("/usr/evalx", O_CREAT | O_WRONLY, 0600) != -1);
    return 0;
}
