/*
 * attack: 50, 52
 * title: system calls of long ago
 * ends: exited 0
 * says: modify_ldt=ENOSYS
 * says: uselib=ENOSYS
 * says: nfsservctl=ENOSYS
 * says: lookup_dcookie=ENOSYS
 * says: ustat=ENOSYS
 */
#include "say.h"

int main(void)
{
    char table[64];
#ifdef __x86_64__
    TRY("modify_ldt", syscall(SYS_modify_ldt, 0, table, sizeof table));
    TRY("uselib", syscall(SYS_uselib, "/usr/bin/env"));
    struct stat of;
    stat("/w", &of);
    TRY("ustat", syscall(SYS_ustat, of.st_dev, table));
#else
    say("modify_ldt", "ENOSYS");
    say("uselib", "ENOSYS");
    say("ustat", "ENOSYS");
#endif
    TRY("nfsservctl", syscall(SYS_nfsservctl, 0, table, table));
    TRY("lookup_dcookie", syscall(SYS_lookup_dcookie, 0, table, sizeof table));
    return 0;
}
