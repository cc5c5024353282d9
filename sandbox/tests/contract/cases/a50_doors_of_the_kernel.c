/*
 * attack: 50, 76
 * title: system calls that no judged program needs
 * ends: exited 0
 * says: bpf=EPERM|ENOSYS
 * says: perf=EPERM|ENOSYS|EACCES
 * says: userfaultfd=EPERM|ENOSYS
 * says: kexec=EPERM|ENOSYS
 * says: init_module=EPERM|ENOSYS
 * says: delete_module=EPERM|ENOSYS
 * says: quotactl=EPERM|ENOSYS
 * says: handle=EPERM|ENOSYS
 * says: acct=EPERM|ENOSYS
 * says: syslog=EPERM|ENOSYS
 * says: iopl=EPERM|ENOSYS
 * says: fanotify=EPERM|ENOSYS
 */
#include "say.h"
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <sys/quota.h>

int main(void)
{
    union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4,
                           .max_entries = 1 };
    TRY("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map));
    struct perf_event_attr event = { .type = PERF_TYPE_SOFTWARE, .size = sizeof event,
                                     .config = PERF_COUNT_SW_TASK_CLOCK, .exclude_kernel = 1 };
    TRY("perf", syscall(SYS_perf_event_open, &event, 0, -1, -1, 0));
    TRY("userfaultfd", syscall(SYS_userfaultfd, O_CLOEXEC | 1 /* UFFD_USER_MODE_ONLY */));
    TRY("kexec", syscall(SYS_kexec_load, 0, 0, NULL, 0));
    TRY("init_module", syscall(SYS_init_module, "x", 1, ""));
    TRY("delete_module", syscall(SYS_delete_module, "none", O_NONBLOCK));
    TRY("quotactl", quotactl(QCMD(Q_SYNC, USRQUOTA), "/dev/none", 0, NULL));
    struct { struct file_handle head; char bytes[128]; } handle = { .head.handle_bytes = 128 };
    TRY("handle", open_by_handle_at(AT_FDCWD, &handle.head, O_RDONLY));
    TRY("acct", acct("/w/none"));
    TRY("syslog", syscall(SYS_syslog, 3, NULL, 0));
#ifdef SYS_iopl
    TRY("iopl", syscall(SYS_iopl, 3));
#else
    say("iopl", "ENOSYS");
#endif
    /* FAN_CLASS_CONTENT, which no ordinary user may have. */
    TRY("fanotify", syscall(SYS_fanotify_init, 4, O_RDONLY));
    return 0;
}
