/*
 * attack: 41, 75
 * title: clone3, whose flags no filter can see, with a new user namespace
 * ends: exited 0
 * says: clone3=ENOSYS|EPERM
 */
#include "say.h"
#include <linux/sched.h>

int main(void)
{
    struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
    errno = 0;
    long child = syscall(SYS_clone3, &args, sizeof args);
    if (child == 0)
        _exit(0);
    say("clone3", child == -1 ? errno_name(errno) : "ok");
    return 0;
}
