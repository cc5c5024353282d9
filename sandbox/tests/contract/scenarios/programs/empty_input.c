/* Its input is empty. `hold` stamps and locks that, and stays; `look` says what it sees of it. */
#include "say.h"
#include <sys/file.h>

#ifndef F_OFD_SETLK
#define F_OFD_GETLK 36
#define F_OFD_SETLK 37
#endif

static void stamp(void)
{
    struct stat input;
    fstat(0, &input);
    char text[64];
    snprintf(text, sizeof text, "%ld.%09ld", (long)input.st_mtim.tv_sec, input.st_mtim.tv_nsec);
    say("stamp", text);
}

static void hold(void)
{
    /* A tick or more from whatever was made before it, and whatever is made behind it. */
    usleep(20000);
    TRY("stamped", futimens(0, NULL));
    stamp();
    usleep(20000);
    flock(0, LOCK_EX | LOCK_NB);
    struct flock part = { .l_type = F_RDLCK, .l_whence = SEEK_SET };
    fcntl(0, F_OFD_SETLK, &part);
    say("holding", "yes");
    wait_for_ever();
}

static void look(void)
{
    char byte;
    say_number("read", read(0, &byte, 1));
    stamp();
    say_number("held", flock(0, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);
    struct flock part = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    say_number("owned", fcntl(0, F_OFD_GETLK, &part) == 0 && part.l_type != F_UNLCK);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "hold") == 0)
        hold();
    else
        look();
    return 0;
}
