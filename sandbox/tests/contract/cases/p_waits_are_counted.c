/*
 * attack: plain
 * title: waiting is counted as voluntary context switches
 * ends: exited 0
 * switches: 20..60
 */
#include "say.h"

int main(void)
{
    for (int i = 0; i < 20; i++)
        usleep(1000);
    return 0;
}
