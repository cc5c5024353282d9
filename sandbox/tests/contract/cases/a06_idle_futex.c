/*
 * attack: 6
 * title: waits for a lock that it holds itself
 * limits: cpu=1s wall=250ms
 * ends: wall-limit
 * cpu: ..100ms
 * wall: 250ms..400ms
 */
#include "say.h"

int main(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    pthread_mutex_lock(&lock);
    return 0;
}
