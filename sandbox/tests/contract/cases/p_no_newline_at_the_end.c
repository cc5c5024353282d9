/*
 * attack: plain
 * title: both streams are kept apart and unchanged, without a newline at the end
 * ends: exited 0
 * stdout: "a\r\n\u0000b"
 * stderr: " c\t"
 */
#include "say.h"

int main(void)
{
    return !(write(1, "a\r\n\0b", 5) == 5 && write(2, " c\t", 3) == 3);
}
