/*
 * attack: plain
 * title: output of exactly as many bytes as may be kept is whole, and no reason to end the run
 * limits: output=16B stderr=8B
 * ends: exited 0
 * stdout: "0123456789abcdef"
 * stderr: "01234567"
 */
#include "say.h"

int main(void)
{
    if (write(2, "01234567", 8) != 8 || write(1, "0123456789", 10) != 10)
        return 1;
    usleep(20000);
    return write(1, "abcdef", 6) != 6;
}
