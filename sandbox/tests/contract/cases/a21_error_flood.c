/*
 * attack: 21
 * title: writes 64 MiB to standard error; the run goes on
 * limits: stderr=64KiB cpu=5s
 * ends: exited 0
 * stdout: "done=ok\n"
 * stderr-size: 64KiB..64KiB
 */
#include "say.h"

int main(void)
{
    static char block[65536];
    memset(block, 'x', sizeof block);
    for (int i = 0; i < 1024; i++)
        if (write(2, block, sizeof block) == -1)
            return 1;
    say("done", "ok");
    return 0;
}
