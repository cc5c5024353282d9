/* `leave` leaves something of each kind behind, `look` says what it finds of it. `count` says the ids
 * that new ones get, and takes them away. */
#include "say.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

enum { KEY = 0x65766c58 };

static int count(void)
{
    int ids[] = {shmget(IPC_PRIVATE, 4096, 0600), semget(IPC_PRIVATE, 1, 0600),
                 msgget(IPC_PRIVATE, 0600)};
    say_number("segment", ids[0]);
    say_number("semaphore", ids[1]);
    say_number("queue", ids[2]);
    return shmctl(ids[0], IPC_RMID, NULL) | semctl(ids[1], 0, IPC_RMID) |
           msgctl(ids[2], IPC_RMID, NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "count") == 0)
        return count();
    int leave = argc > 1 && strcmp(argv[1], "leave") == 0;
    int flags = leave ? IPC_CREAT | 0666 : 0;
    int create = leave ? O_CREAT : 0;
    TRY("work", open("/w/left", O_RDWR | create, 0666));
    TRY("tmp", open("/tmp/left", O_RDWR | create, 0666));
    TRY("shm_file", open("/dev/shm/left", O_RDWR | create, 0666));
    TRY("segment", shmget(KEY, 4096, flags));
    TRY("semaphore", semget(KEY, 1, flags));
    TRY("queue", msgget(KEY, flags));
    TRY("posix_queue", mq_open("/left", O_RDWR | create, 0666, NULL));
    return 0;
}
