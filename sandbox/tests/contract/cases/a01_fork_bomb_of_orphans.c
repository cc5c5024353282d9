/*
 * attack: 1
 * title: fork bomb whose first process exits while the others fork on
 * limits: processes=32 cpu=2s wall=4s
 * ends: exited 0
 * says: parent=gone
 * took: ..1s
 */
#include "say.h"

int main(void)
{
    for (int i = 0; i < 4; i++)
        if (fork() == 0)
            for (;;)
                fork();
    usleep(50 * 1000);
    say("parent", "gone");
    return 0;
}
