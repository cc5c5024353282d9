/*
 * attack: 18
 * title: one file larger than a file may be, the signal ignored
 * limits: file_size=1MiB
 * collect: big 2MiB
 * collect: big_too 1KiB
 * ends: exited 0
 * says: write=EFBIG
 * says: kib=1024
 * file: big_too missing
 */
#include "say.h"

int main(void)
{
    static char block[4096];
    long kib = 0;
    signal(SIGXFSZ, SIG_IGN);
    int file = open("big", O_CREAT | O_WRONLY, 0600);
    while (write(file, block, sizeof block) == sizeof block)
        kib += 4;
    say("write", errno_name(errno));
    say_number("kib", kib);
    return 0;
}
