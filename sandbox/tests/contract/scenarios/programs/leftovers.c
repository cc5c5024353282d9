/* `leave` leaves something of each kind behind, `look` says what it finds of it. `count` says the ids
 * that new ones get, and takes them away. */
#include "say.h"
#include <linux/keyctl.h>
#include <mqueue.h>
#include <sys/file.h>
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

static const char NAME[] = "\0evalx-left";

static int name_socket(int (*with)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    memcpy(name.sun_path, NAME, sizeof NAME);
    int end = socket(AF_UNIX, SOCK_STREAM, 0);
    return end == -1 || with(end, (void *)&name, sizeof name) ? -1 : end;
}

/* A process that outlives its parent, if it can, with a name and a lock. */
static int daemon_with_a_name(void)
{
    int up[2];
    if (pipe(up))
        return -1;
    pid_t child = fork();
    if (child == 0) {
        setsid();
        int name = name_socket(bind);
        if (name == -1 || listen(name, 8))
            _exit(1);
        flock(open("/usr/bin/env", O_RDONLY), LOCK_EX);
        if (write(up[1], "x", 1) != 1)
            _exit(1);
        wait_for_ever();
    }
    close(up[1]);
    char byte;
    return read(up[0], &byte, 1) == 1 ? 0 : -1;
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
    TRY("key", leave ? syscall(SYS_add_key, "user", "evalx-left", "x", 1, KEY_SPEC_USER_KEYRING)
                     : syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_USER_KEYRING, "user",
                               "evalx-left", 0));
    TRY("session_key", syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "evalx-left"));
    if (leave) {
        TRY("name", daemon_with_a_name());
        return 0;
    }
    TRY("name", name_socket(connect));
    int shared = open("/usr/bin/env", O_RDONLY);
    TRY("held", flock(shared, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK ? 0 : -1);
    TRY("others", kill(-1, 0));
    /* As the first process of a run is always numbered. */
    say_number("pid", getpid());
    return 0;
}
