/*
 * attack: 35
 * title: hard links to files that are not its own
 * ends: exited 0
 * says: program=EXDEV|EPERM|EACCES
 * says: system=EXDEV|EPERM|EACCES|ENOENT
 * says: shell=EXDEV|EPERM|EACCES|ENOENT
 */
#include "say.h"

int main(int argc, char **argv)
{
    (void)argc;
    TRY("program", link(argv[0], "program"));
    TRY("system", link("/etc/ld.so.cache", "system"));
    TRY("shell", link("/usr/bin/dash", "shell"));
    return 0;
}
