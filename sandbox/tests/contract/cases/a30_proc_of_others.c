/*
 * attack: 30
 * title: with `proc` a program sees itself and nobody else
 * proc: on
 * ends: exited 0
 * says: self=ok
 * says: environ=ENOENT|EACCES|EPERM
 * says: root=ENOENT|EACCES|EPERM
 * says: fds=ENOENT|EACCES|EPERM
 * says: maps=ENOENT|EACCES|EPERM
 * says: mem=ENOENT|EACCES|EPERM
 * says: processes=1
 * says: keys=ENOENT
 * says: sysctl=ENOENT|EACCES|EROFS
 * says: sysrq=ENOENT|EACCES|EROFS|EPERM
 * says: kcore=ENOENT|EACCES|EPERM
 * isolate-because: isolate mounts the whole of procfs and hides other users' processes only; nobody has a key to be listed
 * isolate-says: keys=ok|ENOENT
 */
#include "say.h"

int main(void)
{
    TRY("self", open("/proc/self/status", O_RDONLY));
    TRY("environ", open("/proc/1/environ", O_RDONLY));
    TRY("root", open("/proc/1/root/etc", O_RDONLY));
    TRY("fds", open("/proc/1/fd", O_RDONLY));
    TRY("maps", open("/proc/1/maps", O_RDONLY));
    TRY("mem", open("/proc/1/mem", O_RDWR));
    long processes = 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *entry; proc && (entry = readdir(proc));)
        processes += entry->d_name[0] >= '0' && entry->d_name[0] <= '9';
    say_number("processes", processes);
    TRY("keys", open("/proc/keys", O_RDONLY));
    TRY("sysctl", open("/proc/sys/kernel/core_pattern", O_WRONLY));
    TRY("sysrq", open("/proc/sysrq-trigger", O_WRONLY));
    TRY("kcore", open("/proc/kcore", O_RDONLY));
    return 0;
}
