/*
 * attack: 52
 * title: the i386 door, where every call has another number
 * ends: forbidden-call | signalled 11 | exited 0
 * never: pid=
 */
#include "say.h"

int main(void)
{
#ifdef __x86_64__
    long pid = 20; /* getpid */
    __asm__ volatile("int $0x80" : "+a"(pid));
    if (pid > 0)
        say_number("pid", pid);
#endif
    return 0;
}
