/*
 * attack: 47
 * title: leases on files that others have open, too, by which a box would hear of them
 * ends: exited 0
 * says: read_lease=EACCES|EPERM
 * says: write_lease=EACCES|EPERM
 *
 * Who is not the owner of a file needs a capability for that (fcntl(2), F_SETLEASE).
 */
#include "say.h"

int main(int argc, char **argv)
{
    const char *paths[] = { "/usr/bin/env", "/etc/ld.so.cache", "/dev/null", argv[argc - 1] };
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        int file = open(paths[i], O_RDONLY);
        if (file == -1)
            continue;
        TRY("read_lease", fcntl(file, F_SETLEASE, F_RDLCK));
        TRY("write_lease", fcntl(file, F_SETLEASE, F_WRLCK));
        close(file);
    }
    return 0;
}
