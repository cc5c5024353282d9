/*
 * attack: 46
 * title: keyrings, which outlive a run
 * proc: on
 * ends: exited 0
 * says: add_key=ENOSYS|EPERM
 * says: request_key=ENOSYS|EPERM
 * says: keyctl=ENOSYS|EPERM
 * says: keys=ENOENT
 * says: key-users=ENOENT
 * isolate-because: isolate mounts the whole of procfs and hides other users' processes only; nobody has a key to be listed
 * isolate-says: keys=ok|ENOENT
 * isolate-says: key-users=ok|ENOENT
 */
#include "say.h"
#include <linux/keyctl.h>

int main(void)
{
    TRY("add_key", syscall(SYS_add_key, "user", "evalx", "x", 1, KEY_SPEC_USER_KEYRING));
    TRY("request_key", syscall(SYS_request_key, "user", "evalx", NULL, 0));
    TRY("keyctl", syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_USER_KEYRING, 1));
    TRY("keys", open("/proc/keys", O_RDONLY));
    TRY("key-users", open("/proc/key-users", O_RDONLY));
    return 0;
}
