/*
 * attack: 39
 * title: no way to more rights: no set-uid programs, no capabilities, no other user
 * ends: exited 0
 * says: no_new_privileges=1
 * says: root=no
 * says: groups=0
 * says: capabilities=0
 * says: setuid=EPERM
 * says: setgid=EPERM
 * says: setgroups=EPERM
 * says: /=nosuid
 * says: /usr=nosuid
 * says: /box=nosuid
 * says: /w=nosuid
 * says: /tmp=nosuid
 * isolate-because: its root is a tmpfs of root's with nothing but mount points in it
 * isolate-says: /=suid|nosuid
 */
#include "say.h"
#include <grp.h>
#include <linux/capability.h>

int main(void)
{
    say_number("no_new_privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
    say("root", getuid() && geteuid() && getgid() && getegid() ? "no" : "yes");
    gid_t groups[64];
    long extra = 0;
    int count = getgroups(64, groups);
    for (int i = 0; i < count; i++)
        extra += groups[i] != getgid();
    say_number("groups", extra);
    struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { 0 } };
    syscall(SYS_capget, &header, data);
    uint32_t capabilities = 0;
    for (int i = 0; i < 2; i++)
        capabilities |= data[i].effective | data[i].permitted | data[i].inheritable;
    say_number("capabilities", capabilities);
    TRY("setuid", setuid(0));
    TRY("setgid", setgid(0));
    TRY("setgroups", setgroups(0, NULL));
    const char *mounts[] = { "/", "/usr", "/box", "/w", "/tmp" };
    for (int i = 0; i < 5; i++) {
        struct statvfs fs;
        int known = statvfs(mounts[i], &fs) == 0;
        say(mounts[i], known && fs.f_flag & ST_NOSUID ? "nosuid" : "suid");
    }
    return 0;
}
