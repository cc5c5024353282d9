/*
 * attack: 8
 * title: a child needs too much memory, the first process would exit 0
 * limits: memory=32MiB
 * ends: memory-limit
 */
#include "say.h"

int main(void)
{
    pid_t child = fork();
    if (child == 0)
        for (;;)
            touch(1 << 20);
    waitpid(child, NULL, 0);
    return 0;
}
