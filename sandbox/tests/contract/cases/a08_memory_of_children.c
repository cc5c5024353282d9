/*
 * attack: 8
 * title: children that are small one by one and too large together
 * limits: memory=48MiB
 * ends: memory-limit
 * took: ..2s
 */
#include "say.h"

int main(void)
{
    for (int i = 0; i < 8; i++)
        if (fork() == 0) {
            touch(16 << 20);
            wait_for_ever();
        }
    /* Only the engine can end this: the kernel may have killed but one child. */
    wait_for_ever();
}
