/*
 * attack: 53, 77
 * title: a filter by the older call, and who shares a core with whom
 * ends: exited 0
 * says: filter=EPERM
 * says: strict=EPERM
 * says: core=EPERM
 * says: name=ok
 */
#include "say.h"
#include <linux/filter.h>
#include <linux/seccomp.h>

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#define PR_SCHED_CORE_CREATE 1
#endif

int main(void)
{
    struct sock_filter allow = { BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW };
    struct sock_fprog program = { 1, &allow };
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    TRY("filter", prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0));
    TRY("strict", prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0));
    TRY("core", prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, 0, 0));
    TRY("name", prctl(PR_SET_NAME, "other", 0, 0, 0));
    return 0;
}
