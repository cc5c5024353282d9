/*
 * attack: 16
 * title: 200000 files
 * limits: inodes=1024
 * ends: exited 0
 * says: create=ENOSPC
 * says: files=900..1024
 * says: tmp=ENOSPC
 * says: shm=ENOSPC
 * took: ..1s
 */
#include "say.h"

int main(void)
{
    long files = 0;
    int file = -1;
    for (char name[16]; files < 200000; files++) {
        snprintf(name, sizeof name, "%ld", files);
        file = open(name, O_CREAT | O_WRONLY, 0600);
        if (file == -1)
            break;
        close(file);
    }
    say("create", file == -1 ? errno_name(errno) : "ok");
    say_number("files", files);
    TRY("tmp", open("/tmp/x", O_CREAT | O_WRONLY, 0600));
    TRY("shm", open("/dev/shm/x", O_CREAT | O_WRONLY, 0600));
    return 0;
}
