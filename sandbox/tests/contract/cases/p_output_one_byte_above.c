/*
 * attack: plain
 * title: one byte of output more than may be kept ends the run, even when it is the last thing done
 * limits: output=16B
 * ends: output-limit
 * stdout-size: 16B..16B
 */
#include "say.h"

int main(void)
{
    return write(1, "0123456789abcdefX", 17) != 17;
}
