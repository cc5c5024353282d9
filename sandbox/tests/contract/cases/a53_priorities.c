/*
 * attack: 53
 * title: raises its priority
 * ends: exited 0
 * says: nice=EACCES|EPERM|ENOSYS
 * says: fifo=EPERM|ENOSYS
 * says: deadline=EPERM|ENOSYS
 * says: ioprio=EPERM|ENOSYS
 * says: limit=EPERM|ENOSYS
 */
#include "say.h"

int main(void)
{
    TRY("nice", setpriority(PRIO_PROCESS, 0, -20));
    struct sched_param param = { .sched_priority = 50 };
    TRY("fifo", sched_setscheduler(0, SCHED_FIFO, &param));
    /* As in sched_setattr(2), which glibc has no wrapper for. */
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attr = { .size = sizeof attr, .policy = 6 /* SCHED_DEADLINE */, .runtime = 10000000,
               .deadline = 20000000, .period = 20000000 };
    TRY("deadline", syscall(SYS_sched_setattr, 0, &attr, 0));
    TRY("ioprio", syscall(SYS_ioprio_set, 1, 0, (1 << 13) | 0 /* real-time class */));
    struct rlimit more = { 1 << 20, 1 << 20 };
    TRY("limit", setrlimit(RLIMIT_NOFILE, &more));
    return 0;
}
