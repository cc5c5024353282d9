/*
 * attack: 8
 * title: touches memory without end
 * limits: memory=32MiB
 * ends: memory-limit
 * memory: 30MiB..33MiB
 */
#include "say.h"

int main(void)
{
    for (;;)
        if (!touch(1 << 20))
            say("mmap", errno_name(errno));
}
