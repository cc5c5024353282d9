/*
 * attack: 12
 * title: access lists, which no limit of memory holds
 * ends: exited 0
 * says: set=EOPNOTSUPP
 * says: link=EOPNOTSUPP
 * says: file=EOPNOTSUPP
 * says: list=ok
 *
 * A folder keeps two of 64 KiB (fs/posix_acl.c), so that a box of 4,096 files kept half a gigabyte.
 */
#include "say.h"
#include <sys/xattr.h>

int main(void)
{
    /* The version, and an entry for the owner, the group and others (uapi/linux/posix_acl_xattr.h). */
    static const struct { unsigned version; struct { unsigned short tag, perm; unsigned id; } all[3]; }
        list = { 2, { { 1, 7, -1u }, { 4, 5, -1u }, { 32, 5, -1u } } };
    static const char name[] = "system.posix_acl_access";
    char names[256];
    mkdir("/w/folder", 0700);
    TRY("set", setxattr("/w/folder", name, &list, sizeof list, 0));
    TRY("link", lsetxattr("/w/folder", name, &list, sizeof list, 0));
    TRY("file", fsetxattr(open("/w/folder", O_RDONLY), name, &list, sizeof list, 0));
    TRY("list", listxattr("/w/folder", names, sizeof names));
    return 0;
}
