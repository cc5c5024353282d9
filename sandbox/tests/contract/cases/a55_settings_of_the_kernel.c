/*
 * attack: 55
 * title: settings and logs of the kernel
 * proc: on
 * ends: exited 0
 * says: core_pattern=ENOENT|EACCES|EROFS
 * says: max_user_namespaces=ENOENT|EACCES|EROFS
 * says: own_score=EACCES|EPERM|EBADF
 * says: sysrq=ENOENT|EACCES|EROFS
 * says: sys=ENOENT
 * says: kmsg=ENOENT|EACCES
 * says: log=ENOENT|EACCES
 * says: debugfs=ENOENT|EACCES
 * says: tracefs=ENOENT|EACCES
 */
#include "say.h"

int main(void)
{
    TRY("core_pattern", open("/proc/sys/kernel/core_pattern", O_WRONLY));
    TRY("max_user_namespaces", open("/proc/sys/user/max_user_namespaces", O_WRONLY));
    /* To be spared when memory runs out; -1000 would need a capability. */
    int score = open("/proc/self/oom_score_adj", O_WRONLY);
    TRY("own_score", write(score, "-1000", 5));
    TRY("sysrq", open("/proc/sysrq-trigger", O_WRONLY));
    TRY("sys", open("/sys/kernel", O_RDONLY | O_DIRECTORY));
    TRY("kmsg", open("/dev/kmsg", O_WRONLY));
    TRY("log", open("/dev/log", O_WRONLY));
    TRY("debugfs", open("/sys/kernel/debug", O_RDONLY));
    TRY("tracefs", open("/sys/kernel/tracing/trace_marker", O_WRONLY));
    return 0;
}
