/*
 * attack: 72
 * title: threads in calls that wait for every CPU and in barriers do not outlive the limit
 * limits: wall=500ms
 * ends: wall-limit|cpu-limit
 * took: ..1500ms
 */
#include "say.h"
#include <linux/membarrier.h>

static void *barriers(void *unused)
{
    syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0);
    for (;;) {
        syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
        syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    }
    return unused;
}

int main(void)
{
    pthread_t thread;
    for (int i = 0; i < 8; i++)
        pthread_create(&thread, NULL, barriers, NULL);
    /* A child that is being copied all the time, of memory that is being torn down. */
    for (;;) {
        if (fork() == 0)
            _exit(0);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
    }
}
