/*
 * attack: 28
 * title: kills all it can reach; only its own child dies
 * ends: exited 0
 * says: child=9
 * says: init=EPERM|ok
 * says: parent=EPERM|ok
 * says: stop=EPERM|ok
 * says: alive=yes
 * took: ..1s
 */
#include "say.h"

int main(void)
{
    pid_t child = fork();
    if (child == 0)
        wait_for_ever();
    TRY("all", kill(-1, SIGKILL));
    int status = 0;
    waitpid(child, &status, 0);
    say_number("child", WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    TRY("init", kill(1, SIGKILL));
    /* A parent outside of the pid namespace shows as 0, which would be the own group. */
    pid_t parent = getppid();
    TRY("parent", parent ? kill(parent, SIGKILL) : 0);
    TRY("stop", parent ? kill(parent, SIGSTOP) : 0);
    say("alive", "yes");
    return 0;
}
