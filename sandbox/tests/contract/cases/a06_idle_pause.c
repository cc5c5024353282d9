/*
 * attack: 6
 * title: waits for a signal that never comes
 * limits: cpu=1s wall=250ms
 * ends: wall-limit
 * cpu: ..100ms
 * wall: 250ms..400ms
 */
#include "say.h"

int main(void)
{
    wait_for_ever();
}
