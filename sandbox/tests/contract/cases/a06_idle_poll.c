/*
 * attack: 6
 * title: waits for input that never comes
 * limits: cpu=1s wall=250ms
 * ends: wall-limit
 * cpu: ..100ms
 * wall: 250ms..400ms
 */
#include "say.h"

int main(void)
{
    int ends[2];
    if (pipe(ends))
        return 1;
    struct pollfd end = { .fd = ends[0], .events = POLLIN };
    return poll(&end, 1, -1);
}
