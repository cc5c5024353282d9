/*
 * attack: 66, 86
 * title: asking which pages of shared files are in memory, and putting them out of it
 * ends: exited 0
 * says: cachestat=ENOSYS
 * says: only_from_memory=EOPNOTSUPP
 * says: read=ok
 * says: put_out=ok
 * says: put_out_nothing=0
 * says: advice=ok
 *
 * Descriptor 99 is not open: advice that is taken fails there with EBADF.
 */
#include "say.h"

#ifndef RWF_NOWAIT
#define RWF_NOWAIT 8
#endif

int main(void)
{
    int shared = open("/usr/bin/env", O_RDONLY), ends[2];
    struct { unsigned long long offset, length; } range = { 0, 4096 };
    unsigned long long found[5];
    TRY("cachestat", syscall(451 /* cachestat */, shared, &range, found, 0));
    /* An empty pipe would answer EAGAIN, whatever the file systems of the box can do. */
    char byte;
    struct iovec part = { &byte, 1 };
    if (pipe(ends))
        return 1;
    TRY("only_from_memory", preadv2(ends[0], &part, 1, -1, RWF_NOWAIT));
    TRY("read", preadv2(shared, &part, 1, 0, 0));
    int answer = posix_fadvise(shared, 0, 0, POSIX_FADV_DONTNEED);
    say("put_out", answer ? errno_name(answer) : "ok");
    say_number("put_out_nothing", posix_fadvise(99, 0, 0, POSIX_FADV_DONTNEED));
    answer = posix_fadvise(shared, 0, 0, POSIX_FADV_SEQUENTIAL);
    say("advice", answer ? errno_name(answer) : "ok");
    return 0;
}
