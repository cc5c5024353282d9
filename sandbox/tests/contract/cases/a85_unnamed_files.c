/*
 * attack: 85
 * title: files without a name, which leave only a number behind; who asks for one gets another kind
 * ends: exited 0
 * says: open=EOPNOTSUPP
 * says: openat=EOPNOTSUPP
 * says: openat2=ENOSYS
 * says: tmpfile=ok
 * says: folder=ok
 */
#include "say.h"
#include <linux/openat2.h>

int main(void)
{
    int unnamed = O_TMPFILE | O_RDWR;
#ifdef SYS_open
    TRY("open", syscall(SYS_open, "/tmp", unnamed, 0600));
#else
    say("open", "EOPNOTSUPP");
#endif
    TRY("openat", openat(AT_FDCWD, "/w", unnamed, 0600));
    struct open_how how = { .flags = (unsigned)unnamed, .mode = 0600 };
    TRY("openat2", syscall(437 /* openat2 */, AT_FDCWD, "/dev/shm", &how, sizeof how));
    /* The C library asks for one first. */
    FILE *file = tmpfile();
    say("tmpfile", file && fputs("x", file) >= 0 && fclose(file) == 0 ? "ok" : "none");
    TRY("folder", open("/w", O_RDONLY | O_DIRECTORY));
    return 0;
}
