/*
 * attack: plain
 * title: standard input is not open
 * stdin: closed
 * ends: exited 0
 * says: read=EBADF
 * says: next=0
 * stderr: ""
 */
#include "say.h"

int main(void)
{
    char byte;
    TRY("read", read(0, &byte, 1));
    say_number("next", open("/dev/null", O_RDONLY));
    return 0;
}
