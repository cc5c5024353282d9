/* `leave` leaves something of each kind behind, `look` says what it finds of it. */
#include "say.h"
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

enum { KEY = 0x65766c58 };

int main(int argc, char **argv)
{
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
