/*
 * attack: 36
 * title: changes its own program for the next run
 * ends: exited 0
 * says: write=EROFS|ETXTBSY|EACCES
 * says: unlink=EROFS|EACCES
 * says: rename=EROFS|EACCES
 * says: create=EROFS|EACCES
 * says: chmod=EROFS|EPERM
 * says: chown=EROFS|EPERM
 * says: utime=EROFS|EACCES|EPERM
 * says: folder=EROFS|EPERM|EBUSY|EACCES|EXDEV
 */
#include "say.h"

int main(int argc, char **argv)
{
    (void)argc;
    TRY("write", open(argv[0], O_WRONLY));
    TRY("unlink", unlink(argv[0]));
    TRY("rename", rename(argv[0], "/box/other"));
    TRY("create", open("/box/new", O_CREAT | O_WRONLY, 0600));
    TRY("chmod", chmod(argv[0], 0777));
    TRY("chown", chown(argv[0], getuid(), getgid()));
    TRY("utime", utimensat(AT_FDCWD, argv[0], NULL, 0));
    TRY("folder", rename("/box", "/w/box"));
    return 0;
}
