/*
 * attack: 75
 * title: each flag of clone and clone3 that leads to a namespace, another control group or a chosen pid
 * ends: exited 0
 * says: clone3=0
 * says: clone=0
 * says: unshare=0
 * says: chosen_pid=0
 */
#include "say.h"
#include <linux/sched.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

static const unsigned long long FLAGS[] = {
    CLONE_NEWNS,  CLONE_NEWUTS, CLONE_NEWIPC,    CLONE_NEWUSER,
    CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP, 0x200000000 /* CLONE_INTO_CGROUP */,
};

static int by_clone3(unsigned long long flags, pid_t *wanted)
{
    struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD, .cgroup = 0 };
    if (wanted) {
        args.set_tid = (uintptr_t)wanted;
        args.set_tid_size = 1;
    }
    long child = syscall(SYS_clone3, &args, sizeof args);
    if (child == 0)
        _exit(0);
    return child > 0;
}

int main(void)
{
    long clone3 = 0, clone = 0, moved = 0;
    for (unsigned i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++) {
        clone3 += by_clone3(FLAGS[i], NULL);
        if (FLAGS[i] >> 32)
            continue;
        long child = syscall(SYS_clone, (unsigned long)FLAGS[i] | SIGCHLD, 0, 0, 0, 0);
        if (child == 0)
            _exit(0);
        clone += child > 0;
        moved += unshare((int)FLAGS[i]) == 0;
    }
    clone3 += by_clone3(CLONE_NEWTIME, NULL);
    moved += unshare(CLONE_NEWTIME) == 0;
    pid_t wanted = 4711;
    say_number("clone3", clone3);
    say_number("clone", clone);
    say_number("unshare", moved);
    say_number("chosen_pid", by_clone3(0, &wanted));
    return 0;
}
