/*
 * attack: 68
 * title: works in slices that end before the clock ticks; every one of them counts
 * limits: cpu=300ms wall=10s
 * ends: cpu-limit
 * cpu: 300ms..310ms
 *
 * An account by ticks sees whoever runs when the clock ticks. This one sleeps then.
 */
#include "say.h"

int main(void)
{
    for (;;) {
        double end = now(CLOCK_MONOTONIC) + 0.0005;
        while (now(CLOCK_MONOTONIC) < end)
            ;
        struct timespec pause = { 0, 200000 };
        nanosleep(&pause, NULL);
    }
}
