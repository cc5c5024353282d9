/*
 * attack: 4
 * title: twenty daemons, forked twice and in sessions of their own, outlive the first process
 * limits: processes=64
 * ends: exited 0
 * says: daemons=20
 * took: ..1s
 */
#include "say.h"

int main(void)
{
    int up[2];
    if (pipe(up))
        return 1;
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            setsid();
            if (fork() == 0) {
                signal(SIGHUP, SIG_IGN);
                signal(SIGTERM, SIG_IGN);
                if (write(up[1], "x", 1) != 1)
                    _exit(1);
                wait_for_ever();
            }
            _exit(0);
        }
        waitpid(child, NULL, 0);
    }
    long daemons = 0;
    char byte;
    while (daemons < 20 && read(up[0], &byte, 1) == 1)
        daemons++;
    say_number("daemons", daemons);
    return 0;
}
