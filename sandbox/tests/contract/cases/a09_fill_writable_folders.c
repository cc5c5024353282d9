/*
 * attack: 9
 * title: fills the work folder, /tmp and /dev/shm, which share one limit
 * limits: disk=8MiB memory=64MiB
 * ends: exited 0
 * says: tmp=ENOSPC
 * says: shm=ENOSPC
 * says: work=ENOSPC
 * says: kib=4096..8192
 */
#include "say.h"

static long fill(const char *key, const char *path)
{
    static char block[4096];
    long kib = 0;
    int file = open(path, O_CREAT | O_WRONLY, 0600);
    if (file == -1) {
        say(key, errno_name(errno));
        return 0;
    }
    while (write(file, block, sizeof block) == sizeof block)
        kib += 4;
    say(key, errno_name(errno));
    return kib;
}

int main(void)
{
    long kib = fill("tmp", "/tmp/fill");
    kib += fill("shm", "/dev/shm/fill");
    kib += fill("work", "fill");
    say_number("kib", kib);
    return 0;
}
