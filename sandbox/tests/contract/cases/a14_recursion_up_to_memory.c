/*
 * attack: 14
 * title: recursion without end and without a stack limit of its own
 * limits: memory=32MiB
 * ends: memory-limit | signalled 11
 * memory: 28MiB..33MiB
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
