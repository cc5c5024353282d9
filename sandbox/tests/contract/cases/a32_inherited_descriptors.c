/*
 * attack: 32
 * title: no descriptor is inherited but the three streams
 * ends: exited 0
 * says: inherited=0
 * says: streams=3
 */
#include "say.h"

int main(void)
{
    long streams = 0, inherited = 0;
    for (int i = 0; i < 65536; i++)
        if (fcntl(i, F_GETFD) != -1) {
            streams += i < 3;
            inherited += i >= 3;
        }
    say_number("streams", streams);
    say_number("inherited", inherited);
    return 0;
}
