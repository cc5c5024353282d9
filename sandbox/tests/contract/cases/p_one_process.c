/*
 * attack: plain
 * title: a single process is granted, and there is no second
 * limits: processes=1
 * ends: exited 0
 * says: fork=EAGAIN
 * says: thread=EAGAIN
 */
#include "say.h"

static void *nothing(void *unused)
{
    return unused;
}

int main(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    say("fork", child == -1 ? errno_name(errno) : "ok");
    pthread_t thread;
    int refused = pthread_create(&thread, NULL, nothing, NULL);
    say("thread", refused ? errno_name(refused) : "ok");
    return 0;
}
