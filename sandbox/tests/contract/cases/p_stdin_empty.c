/*
 * attack: plain
 * title: standard input ends at once
 * stdin: empty
 * ends: exited 0
 * says: read=0
 */
#include "say.h"

int main(void)
{
    char byte;
    say_number("read", read(0, &byte, 1));
    return 0;
}
