/*
 * attack: 38
 * title: a pipe, a socket, a folder and a device where an output file is expected
 * collect: pipe 1MiB
 * collect: socket 1MiB
 * collect: folder 1MiB
 * collect: device 1MiB
 * collect: file/below 1MiB
 * ends: exited 0
 * says: character=EPERM|EACCES|ENOSYS
 * says: block=EPERM|EACCES|ENOSYS
 * file: pipe not-regular
 * file: socket not-regular | missing
 * file: folder not-regular
 * file: device missing
 * file: file/below not-regular | missing
 * took: ..1s
 */
#include "say.h"
#include <sys/sysmacros.h>

int main(void)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX, .sun_path = "socket" };
    TRY("pipe", mkfifo("pipe", 0666));
    TRY("socket", bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&name, sizeof name));
    TRY("folder", mkdir("folder", 0777));
    TRY("character", mknod("device", S_IFCHR | 0666, makedev(1, 5)));
    TRY("block", mknod("device", S_IFBLK | 0666, makedev(7, 0)));
    TRY("file", open("file", O_CREAT | O_WRONLY, 0600));
    return 0;
}
