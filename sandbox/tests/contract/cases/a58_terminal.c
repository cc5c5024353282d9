/*
 * attack: 58
 * title: types into the terminal of whoever started us
 * ends: exited 0
 * says: tty=ENOENT|ENXIO|EACCES
 * says: type0=ENOTTY|EPERM|EIO|EINVAL
 * says: type1=ENOTTY|EPERM|EIO|EINVAL
 * says: type2=ENOTTY|EPERM|EIO|EINVAL
 * says: session=own
 * isolate-because: the session is that of isolate, which has no terminal either
 * isolate-says: session=own|other
 */
#include "say.h"
#include <sys/ioctl.h>

int main(void)
{
    TRY("tty", open("/dev/tty", O_RDWR));
    TRY("type0", ioctl(0, TIOCSTI, "x"));
    TRY("type1", ioctl(1, TIOCSTI, "x"));
    TRY("type2", ioctl(2, TIOCSTI, "x"));
    say("session", getsid(0) == getpid() ? "own" : "other");
    return 0;
}
