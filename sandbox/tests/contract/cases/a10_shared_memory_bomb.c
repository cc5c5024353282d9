/*
 * attack: 10
 * title: memory in System V shared segments
 * limits: memory=32MiB
 * ends: memory-limit
 */
#include "say.h"
#include <sys/shm.h>

int main(void)
{
    for (int i = 0; i < 64; i++) {
        int id = shmget(IPC_PRIVATE, 1 << 20, IPC_CREAT | 0600);
        char *at = id == -1 ? (void *)-1 : shmat(id, NULL, 0);
        if (at == (void *)-1) {
            say("shm", errno_name(errno));
            return 0;
        }
        memset(at, 1, 1 << 20);
        shmdt(at);
    }
    say("shm", "ok");
    return 0;
}
