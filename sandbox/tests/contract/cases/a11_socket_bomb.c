/*
 * attack: 11
 * title: memory in the buffers of sockets
 * limits: memory=24MiB open_files=1024
 * ends: memory-limit | exited 0
 * memory: ..25MiB
 */
#include "say.h"

int main(void)
{
    static char block[4096];
    long kib = 0;
    for (int ends[2]; socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0;)
        while (send(ends[0], block, sizeof block, MSG_NOSIGNAL) > 0)
            kib += 4;
    say_number("kib", kib);
    return 0;
}
