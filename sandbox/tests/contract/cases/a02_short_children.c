/*
 * attack: 2
 * title: CPU time of 300 short children that nobody waits for
 * limits: processes=8 cpu=5s wall=10s
 * ends: exited 0
 * cpu: 300ms..3s
 */
#include "say.h"

int main(void)
{
    /* The kernel reaps the children, so their time never reaches this process's own account. */
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 300; i++) {
        pid_t child = fork();
        if (child == 0) {
            burn(0.001);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    return 0;
}
