/*
 * attack: 20
 * title: floods standard output
 * limits: output=1MiB cpu=5s
 * ends: output-limit
 * stdout-size: 1MiB..1MiB
 * took: ..1s
 */
#include "say.h"

int main(void)
{
    static char block[65536];
    memset(block, 'x', sizeof block);
    for (;;)
        if (write(1, block, sizeof block) == -1)
            return 1;
}
