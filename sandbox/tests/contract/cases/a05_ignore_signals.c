/*
 * attack: 5
 * title: ignores and blocks every signal it may, and loops
 * limits: cpu=200ms wall=2s
 * ends: cpu-limit
 * took: ..1s
 */
#include "say.h"

int main(void)
{
    sigset_t all;
    sigfillset(&all);
    for (int i = 1; i < 65; i++)
        signal(i, SIG_IGN);
    sigprocmask(SIG_BLOCK, &all, NULL);
    for (;;)
        ;
}
