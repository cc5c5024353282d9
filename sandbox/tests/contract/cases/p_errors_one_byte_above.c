/*
 * attack: plain
 * title: one byte of errors more than may be kept is dropped and ends nothing
 * limits: stderr=8B
 * ends: exited 0
 * stderr-size: 8B..8B
 * stdout: "goes on"
 */
#include "say.h"

int main(void)
{
    if (write(2, "01234567X", 9) != 9)
        return 1;
    usleep(20000);
    return write(1, "goes on", 7) != 7;
}
