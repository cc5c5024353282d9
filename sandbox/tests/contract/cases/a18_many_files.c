/*
 * attack: 18
 * title: many files, each as large as a file may be
 * limits: file_size=64KiB disk=2MiB
 * ends: exited 0
 * says: write=ENOSPC
 * says: files=16..32
 */
#include "say.h"

int main(void)
{
    static char block[65536];
    ssize_t written = 0;
    long files = 0;
    for (char name[16]; files < 1000; files++) {
        snprintf(name, sizeof name, "%ld", files);
        written = write(open(name, O_CREAT | O_WRONLY, 0600), block, sizeof block);
        if (written != sizeof block)
            break;
    }
    /* The last write before the limit may be a short one. */
    if (written > 0)
        written = write(open("more", O_CREAT | O_WRONLY, 0600), block, sizeof block);
    say("write", written == -1 ? errno_name(errno) : "ok");
    say_number("files", files);
    return 0;
}
