/*
 * attack: plain
 * title: exactly as many processes and threads as granted, none refused; a place that was left is free again
 * limits: processes=6
 * ends: exited 0
 * says: started=5
 * says: one_more=EAGAIN
 * says: behind_one_that_ended=ok
 */
#include "say.h"

static void *rest(void *unused)
{
    pause();
    return unused;
}

int main(void)
{
    long started = 0;
    pthread_t thread;
    pid_t child = 0;
    for (int i = 0; i < 3; i++) {
        child = fork();
        if (child == 0)
            wait_for_ever();
        started += child != -1;
    }
    for (int i = 0; i < 2; i++)
        started += pthread_create(&thread, NULL, rest, NULL) == 0;
    say_number("started", started);
    TRY("one_more", fork());
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    child = fork();
    if (child == 0)
        _exit(0);
    say("behind_one_that_ended", child == -1 ? errno_name(errno) : "ok");
    return 0;
}
