/* Two of these, in two boxes, share what a box sees of the machine: files that nobody may write.
 * `hold` locks each in every way there is and uses it until its input ends; `look` says who holds
 * what, and what it hears of who uses it. */
#include "say.h"
#include <sys/file.h>
#include <sys/inotify.h>

#ifndef F_OFD_SETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif

static const char *paths[16] = { "/usr/bin/env", "/usr/lib", "/usr", "/etc/ld.so.cache",
                                 "/etc/passwd", "/dev/null", "/dev/zero", "/dev" };

static volatile sig_atomic_t heard;

static void hear(int unused)
{
    (void)unused;
    heard++;
}

static void hold(int count)
{
    for (int i = 0; i < count; i++) {
        struct flock part = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
        int file = open(paths[i], O_RDONLY);
        int other = open(paths[i], O_RDONLY);
        flock(file, LOCK_EX | LOCK_NB);
        fcntl(file, F_SETLK, &part);
        fcntl(other, F_OFD_SETLK, &part);
        fcntl(other, F_SETLEASE, F_RDLCK);
    }
    say("holding", "yes");
    struct pollfd input = { 0, POLLIN, 0 };
    while (poll(&input, 1, 2) == 0)
        for (int i = 0; i < count; i++) {
            char byte;
            int file = open(paths[i], O_RDONLY);
            if (read(file, &byte, 1) < 0) {
                DIR *folder = fdopendir(file);
                if (folder)
                    readdir(folder), closedir(folder);
            } else {
                close(file);
            }
        }
}

static void look(int count)
{
    long held = 0, locked = 0, owned = 0, events = 0;
    signal(SIGIO, hear);
    int watches = inotify_init1(IN_NONBLOCK);
    for (int i = 0; i < count; i++) {
        int file = open(paths[i], O_RDONLY);
        if (file == -1)
            continue;
        held += flock(file, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK;
        struct flock part = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
        locked += fcntl(file, F_GETLK, &part) == 0 && part.l_type != F_UNLCK;
        part = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET };
        owned += fcntl(file, F_OFD_GETLK, &part) == 0 && part.l_type != F_UNLCK;
        fcntl(file, F_NOTIFY, DN_ACCESS | DN_MODIFY | DN_ATTRIB | DN_MULTISHOT);
        inotify_add_watch(watches, paths[i], IN_ALL_EVENTS);
    }
    double end = now(CLOCK_MONOTONIC) + 0.2;
    while (now(CLOCK_MONOTONIC) < end) {
        char event[4096];
        events += read(watches, event, sizeof event) > 0;
        usleep(1000);
    }
    say_number("flock", held);
    say_number("lock", locked);
    say_number("ofd", owned);
    say_number("inotify", events);
    say_number("dnotify", heard);
}

int main(int argc, char **argv)
{
    int count = 8;
    paths[count++] = argv[0];
    paths[count++] = "/box";
    if (argc > 1 && strcmp(argv[1], "hold") == 0)
        hold(count);
    else
        look(count);
    return 0;
}
