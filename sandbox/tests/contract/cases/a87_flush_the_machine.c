/*
 * attack: 87
 * title: writing back every file system of the machine, again and again
 * ends: exited 0
 * says: sync=ok
 * says: syncfs=ok
 * says: syncfs_of_nothing=ok
 * says: fsync=ok
 *
 * It is said to be done and is not: descriptor 99 is not open, and who looks says EBADF.
 */
#include "say.h"

int main(void)
{
    int file = open("/w/own", O_CREAT | O_WRONLY, 0600);
    if (write(file, "x", 1) != 1)
        return 1;
    for (int i = 0; i < 1000; i++)
        sync();
    say("sync", "ok");
    TRY("syncfs", syncfs(file));
    TRY("syncfs_of_nothing", syncfs(99));
    TRY("fsync", fsync(file));
    return 0;
}
