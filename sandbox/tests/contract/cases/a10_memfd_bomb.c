/*
 * attack: 10
 * title: memory behind memfd_create
 * limits: memory=32MiB file_size=4MiB
 * ends: memory-limit
 */
#include "say.h"

int main(void)
{
    static char block[1 << 20];
    signal(SIGXFSZ, SIG_IGN);
    for (int i = 0; i < 200; i++) {
        int file = memfd_create("bomb", 0);
        while (write(file, block, sizeof block) == sizeof block)
            ;
    }
    say("memfd", errno_name(errno));
    return 0;
}
