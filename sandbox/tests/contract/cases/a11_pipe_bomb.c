/*
 * attack: 11
 * title: memory in the buffers of pipes
 * limits: memory=24MiB open_files=512
 * ends: memory-limit | exited 0
 * memory: ..25MiB
 */
#include "say.h"

int main(void)
{
    static char block[4096];
    long kib = 0;
    for (int ends[2]; pipe2(ends, O_NONBLOCK) == 0;) {
        fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
        while (write(ends[1], block, sizeof block) > 0)
            kib += 4;
    }
    say_number("kib", kib);
    return 0;
}
