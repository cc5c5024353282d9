/*
 * attack: 9
 * title: files in /dev/shm count as memory
 * limits: disk=64MiB memory=24MiB
 * ends: memory-limit
 */
#include "say.h"

int main(void)
{
    static char block[65536];
    int file = open("/dev/shm/fill", O_CREAT | O_WRONLY, 0600);
    while (write(file, block, sizeof block) > 0)
        ;
    say("write", errno_name(errno));
    return 0;
}
