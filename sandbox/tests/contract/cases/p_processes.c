/*
 * attack: plain
 * title: as many processes as granted, the first one among them
 * limits: processes=8
 * ends: exited 0
 * says: fork=EAGAIN
 * says: children=7
 */
#include "say.h"

int main(void)
{
    long children = 0;
    for (;;) {
        pid_t child = fork();
        if (child == 0)
            wait_for_ever();
        if (child == -1)
            break;
        children++;
    }
    say("fork", errno_name(errno));
    say_number("children", children);
    return 0;
}
