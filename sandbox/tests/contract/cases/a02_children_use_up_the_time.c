/*
 * attack: 2
 * title: short children without end; only their sum reaches the CPU limit
 * limits: processes=8 cpu=300ms wall=5s
 * ends: cpu-limit
 * cpu: 300ms..320ms
 */
#include "say.h"

int main(void)
{
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        pid_t child = fork();
        if (child == 0) {
            burn(0.005);
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
}
