/*
 * attack: 3
 * title: thread bomb
 * limits: processes=24
 * ends: exited 0
 * says: create=EAGAIN
 * says: threads=1..23
 */
#include "say.h"

static void *sleeper(void *unused)
{
    (void)unused;
    wait_for_ever();
}

int main(void)
{
    for (int i = 0; i < 10000; i++) {
        pthread_t thread;
        int failed = pthread_create(&thread, NULL, sleeper, NULL);
        if (failed) {
            say("create", errno_name(failed));
            say_number("threads", i);
            return 0;
        }
    }
    say("create", "ok");
    return 0;
}
