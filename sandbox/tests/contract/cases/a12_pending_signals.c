/*
 * attack: 12
 * title: signals that wait for ever, each with a value
 * limits: memory=32MiB cpu=5s wall=10s
 * ends: exited 0 | memory-limit
 * never: signal=ok
 * memory: ..33MiB
 */
#include "say.h"

int main(void)
{
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    int last = 0;
    for (int i = 0; i < 1000000 && last != -1; i++)
        last = sigqueue(getpid(), SIGRTMIN, (union sigval){ .sival_int = i });
    say("signal", last == -1 ? errno_name(errno) : "ok");
    return 0;
}
