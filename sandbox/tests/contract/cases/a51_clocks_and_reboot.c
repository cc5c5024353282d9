/*
 * attack: 51
 * title: sets the clock and restarts the machine
 * ends: exited 0
 * says: clock_settime=EPERM|ENOSYS
 * says: settimeofday=EPERM|ENOSYS
 * says: adjtimex=EPERM|ENOSYS
 * says: reboot=EPERM|ENOSYS
 *
 * Should a sandbox let them through, nothing happens: the time is the present one, and the
 * restart is but a switch for Ctrl-Alt-Del.
 */
#include "say.h"
#include <sys/reboot.h>
#include <sys/timex.h>

int main(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    TRY("clock_settime", clock_settime(CLOCK_REALTIME, &time));
    struct timeval day;
    gettimeofday(&day, NULL);
    TRY("settimeofday", settimeofday(&day, NULL));
    struct timex state = { .modes = ADJ_TICK, .tick = 10000 };
    TRY("adjtimex", adjtimex(&state));
    TRY("reboot", reboot(RB_DISABLE_CAD));
    return 0;
}
