/*
 * attack: 11, 12
 * title: connections that nobody accepts
 * limits: cpu=20s wall=40s memory=256MiB
 * ends: exited 0
 * says: first=ok
 * says: last=ECONNREFUSED
 * isolate-says: last=ok
 * isolate-because: who counts hears of calls by a filter of the slot, and isolate makes its boxes itself
 *
 * Each keeps some 800 bytes that are charged to nobody (net/unix/af_unix.c, unix_stream_connect), until
 * it is accepted or its listener is gone.
 */
#include "say.h"

static int another(int listener)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    socklen_t size = sizeof name;
    getsockname(listener, (void *)&name, &size);
    int end = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    int done = connect(end, (void *)&name, size);
    int error = errno;
    close(end);
    errno = error;
    return done;
}

int main(void)
{
    struct sockaddr_un any = { .sun_family = AF_UNIX };
    int last = 0, listener = -1;
    for (int i = 0; i <= 20000 && !last; i++) {
        if (i % 100 == 0) {
            close(listener);
            listener = socket(AF_UNIX, SOCK_STREAM, 0);
            bind(listener, (void *)&any, sizeof any.sun_family);
            listen(listener, 4096);
        }
        last = another(listener);
        if (i == 0)
            say("first", last ? errno_name(errno) : "ok");
    }
    say("last", last ? errno_name(errno) : "ok");
    return 0;
}
