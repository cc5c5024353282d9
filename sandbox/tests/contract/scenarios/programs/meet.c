/* Two of these try to meet: `listen` waits in every place it may until its input ends and says who
 * came; `connect` looks into all of them. */
#include "say.h"
#include <netinet/in.h>
#include <sys/shm.h>

enum { KEY = 0x65766c59, PORT = 47113 };

static const char NAME[] = "\0evalx-meet";

static int name_socket(int (*with)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    memcpy(name.sun_path, NAME, sizeof NAME);
    int end = socket(AF_UNIX, SOCK_STREAM, 0);
    return end == -1 || with(end, (void *)&name, sizeof name) ? -1 : end;
}

static int port_socket(int (*with)(int, const struct sockaddr *, socklen_t))
{
    struct sockaddr_in port = { .sin_family = AF_INET, .sin_port = htons(PORT) };
    port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int end = socket(AF_INET, SOCK_STREAM, 0);
    return end == -1 || with(end, (void *)&port, sizeof port) ? -1 : end;
}

static int wait_for_guests(void)
{
    struct pollfd ends[3] = { { 0, POLLIN, 0 }, { name_socket(bind), POLLIN, 0 },
                              { port_socket(bind), POLLIN, 0 } };
    long guests = 0;
    for (int i = 1; i < 3; i++)
        if (ends[i].fd != -1 && listen(ends[i].fd, 8))
            return 1;
    open("/dev/shm/meet", O_CREAT | O_WRONLY, 0666);
    open("/tmp/meet", O_CREAT | O_WRONLY, 0666);
    shmget(KEY, 4096, IPC_CREAT | 0666);
    say("listening", "yes");
    while (poll(ends, 3, -1) > 0 && !ends[0].revents)
        for (int i = 1; i < 3; i++)
            if (ends[i].revents)
                guests += accept(ends[i].fd, NULL, NULL) != -1;
    say_number("guests", guests);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "listen") == 0)
        return wait_for_guests();
    TRY("name", name_socket(connect));
    TRY("port", port_socket(connect));
    TRY("shm_file", open("/dev/shm/meet", O_RDONLY));
    TRY("tmp_file", open("/tmp/meet", O_RDONLY));
    TRY("segment", shmget(KEY, 4096, 0));
    return 0;
}
