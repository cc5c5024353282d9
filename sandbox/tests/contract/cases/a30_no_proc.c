/*
 * attack: 30
 * title: without `proc` there is no /proc
 * ends: exited 0
 * says: self=ENOENT
 * says: environ=ENOENT
 * says: root=ENOENT
 * says: keys=ENOENT
 * says: sysrq=ENOENT
 */
#include "say.h"

int main(void)
{
    TRY("self", open("/proc/self/status", O_RDONLY));
    TRY("environ", open("/proc/1/environ", O_RDONLY));
    TRY("root", open("/proc/1/root/etc", O_RDONLY));
    TRY("keys", open("/proc/keys", O_RDONLY));
    TRY("sysrq", open("/proc/sysrq-trigger", O_WRONLY));
    return 0;
}
