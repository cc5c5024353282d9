/* How the programs of the suite report: one `key=value` a line on standard output, unbuffered, so
 * that what was said before a kill is not lost. */
#ifndef SAY_H
#define SAY_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

__attribute__((unused)) static const char *errno_name(int number)
{
    const char *name = strerrorname_np(number);
    return name ? name : "unnamed";
}

__attribute__((unused)) static void say(const char *key, const char *value)
{
    char line[4096];
    int length = snprintf(line, sizeof line, "%s=%s\n", key, value);
    if (length > 0 && write(1, line, (size_t)length) < 0)
        _exit(99);
}

__attribute__((unused)) static void say_number(const char *key, long value)
{
    char text[32];
    snprintf(text, sizeof text, "%ld", value);
    say(key, text);
}

/* Makes a call that fails with -1 and says `key=ok` or `key=` and the name of the error. */
#define TRY(key, call)                                                                            \
    do {                                                                                          \
        errno = 0;                                                                                \
        say(key, (long)(call) == -1 ? errno_name(errno) : "ok");                                  \
    } while (0)

__attribute__((unused)) static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Burns CPU time of the calling thread. */
__attribute__((unused)) static void burn(double seconds)
{
    double end = now(CLOCK_THREAD_CPUTIME_ID) + seconds;
    while (now(CLOCK_THREAD_CPUTIME_ID) < end)
        ;
}

/* Touches fresh memory; NULL when there is none. */
__attribute__((unused)) static char *touch(size_t size)
{
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED)
        return NULL;
    memset(at, 0xa5, size);
    return at;
}

__attribute__((noreturn, unused)) static void wait_for_ever(void)
{
    for (;;)
        pause();
}

#endif
