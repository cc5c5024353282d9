/*
 * attack: 5
 * title: waits in the kernel for a vfork child that has stopped
 * limits: cpu=1s wall=300ms
 * ends: wall-limit
 * cpu: ..100ms
 * took: 300ms..800ms
 */
#include "say.h"

int main(void)
{
    if (vfork() == 0) {
        kill(getpid(), SIGSTOP);
        _exit(0);
    }
    return 0;
}
