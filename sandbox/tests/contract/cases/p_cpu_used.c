/*
 * attack: plain
 * title: the CPU time used is reported
 * ends: exited 0
 * cpu: 200ms..230ms
 * wall: 200ms..5s
 */
#include "say.h"

int main(void)
{
    burn(0.2);
    return 0;
}
