/*
 * attack: 10
 * title: kernel memory in System V message queues
 * limits: memory=24MiB
 * ends: memory-limit
 */
#include "say.h"
#include <sys/msg.h>

int main(void)
{
    static struct { long type; char text[8192]; } message = { .type = 1 };
    for (int i = 0; i < 8192; i++) {
        int id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
        if (id == -1) {
            say("queue", errno_name(errno));
            return 0;
        }
        while (msgsnd(id, &message, sizeof message.text, IPC_NOWAIT) == 0)
            ;
    }
    say("queue", "ok");
    return 0;
}
