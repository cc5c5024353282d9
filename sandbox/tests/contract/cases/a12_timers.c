/*
 * attack: 12
 * title: timers without end, which are no descriptors
 * limits: memory=32MiB cpu=5s wall=10s
 * ends: exited 0 | memory-limit
 * never: timer=ok
 * memory: ..33MiB
 *
 * Signals to come are limited by a user's share of the machine's memory (getrlimit(2),
 * RLIMIT_SIGPENDING), or there is no more memory before that.
 */
#include "say.h"

int main(void)
{
    struct sigevent none = { .sigev_notify = SIGEV_NONE };
    timer_t timer;
    int last = 0;
    for (int i = 0; i < 1000000 && last != -1; i++)
        last = timer_create(CLOCK_MONOTONIC, &none, &timer);
    say("timer", last == -1 ? errno_name(errno) : "ok");
    return 0;
}
