/*
 * attack: 7
 * title: busy loop in four threads; the CPU limit is precise
 * limits: cpu=400ms wall=5s
 * ends: cpu-limit
 * cpu: 400ms..410ms
 */
#include "say.h"

static void *loop(void *unused)
{
    for (volatile long i = 0;; i++)
        ;
    return unused;
}

int main(void)
{
    pthread_t thread;
    for (int i = 0; i < 3; i++)
        pthread_create(&thread, NULL, loop, NULL);
    loop(NULL);
}
