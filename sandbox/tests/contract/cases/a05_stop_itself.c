/*
 * attack: 5
 * title: stops itself
 * limits: cpu=1s wall=300ms
 * ends: wall-limit
 * cpu: ..100ms
 * took: 300ms..800ms
 */
#include "say.h"

int main(void)
{
    raise(SIGSTOP);
    return 0;
}
