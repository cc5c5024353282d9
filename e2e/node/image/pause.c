/* What a pod's namespaces live by: it waits. As pid 1 it also reaps: who ignores SIGCHLD has no
 * zombies (wait(2)). */
#include <signal.h>
#include <unistd.h>

static void end(int signal) {
    (void)signal;
    _exit(0);
}

int main(void) {
    signal(SIGTERM, end);
    signal(SIGINT, end);
    signal(SIGCHLD, SIG_IGN);
    for (;;)
        pause();
}
