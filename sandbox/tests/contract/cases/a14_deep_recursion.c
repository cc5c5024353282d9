/*
 * attack: 14
 * title: recursion without end under a stack limit
 * limits: stack=8MiB memory=64MiB
 * ends: signalled 11
 * memory: 6MiB..16MiB
 */
#include "say.h"

__attribute__((noinline)) static int down(volatile char *above)
{
    volatile char frame[1024];
    frame[0] = above[0];
    return down(frame) + frame[0];
}

int main(void)
{
    volatile char first[1] = { 1 };
    return down(first);
}
