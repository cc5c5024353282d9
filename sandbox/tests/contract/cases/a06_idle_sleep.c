/*
 * attack: 6
 * title: sleeps
 * limits: cpu=1s wall=250ms
 * ends: wall-limit
 * cpu: ..100ms
 * wall: 250ms..400ms
 */
#include "say.h"

int main(void)
{
    for (;;)
        sleep(1000);
}
