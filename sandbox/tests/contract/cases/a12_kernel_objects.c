/*
 * attack: 12
 * title: files, epolls, inotifies, eventfds and timers of descriptors without end
 * limits: open_files=64 memory=64MiB
 * ends: exited 0 | memory-limit
 * says: open=EMFILE
 * says: epoll=EMFILE|ENOSYS|EPERM
 * says: inotify=EMFILE|ENOSYS|EPERM
 * says: eventfd=EMFILE|ENOSYS|EPERM
 * says: timerfd=EMFILE|ENOSYS|EPERM
 * memory: ..65MiB
 */
#include "say.h"
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>

#define UNTIL_IT_FAILS(key, call)                                                                 \
    do {                                                                                          \
        int last = 0;                                                                             \
        for (int i = 0; i < 100000 && last != -1; i++)                                            \
            last = call;                                                                          \
        say(key, last == -1 ? errno_name(errno) : "ok");                                          \
        closefrom(3);                                                                             \
    } while (0)

int main(void)
{
    UNTIL_IT_FAILS("open", open("/dev/null", O_RDONLY));
    UNTIL_IT_FAILS("epoll", epoll_create1(0));
    UNTIL_IT_FAILS("inotify", inotify_init1(0));
    UNTIL_IT_FAILS("eventfd", eventfd(0, 0));
    UNTIL_IT_FAILS("timerfd", timerfd_create(CLOCK_MONOTONIC, 0));
    return 0;
}
