/*
 * attack: 1
 * title: fork bomb, every process busy
 * limits: processes=32 cpu=300ms wall=2s
 * ends: cpu-limit
 * says: fork=EAGAIN
 * took: ..2500ms
 */
#include "say.h"

int main(void)
{
    int said = 0;
    for (;;)
        if (fork() == -1 && !said) {
            said = 1;
            say("fork", errno_name(errno));
        }
}
