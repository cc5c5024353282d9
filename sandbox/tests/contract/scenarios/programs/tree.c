/* A family that does not want to die: busy children, idle ones, stopped ones and daemons. */
#include "say.h"

int main(void)
{
    for (int i = 1; i < 65; i++)
        if (i != SIGCHLD)
            signal(i, SIG_IGN);
    if (fork() == 0)
        burn(1000);
    if (fork() == 0)
        wait_for_ever();
    if (fork() == 0) {
        raise(SIGSTOP);
        wait_for_ever();
    }
    if (fork() == 0) {
        setsid();
        if (fork() == 0)
            for (;;)
                if (fork() == 0)
                    _exit(0);
        _exit(0);
    }
    wait_for_ever();
}
