/*
 * attack: plain
 * title: the peak of memory is reported, even when it was given back
 * limits: memory=128MiB
 * ends: exited 0
 * memory: 39MiB..42MiB
 */
#include "say.h"

int main(void)
{
    char *at = touch(40 << 20);
    return !at || munmap(at, 40 << 20);
}
