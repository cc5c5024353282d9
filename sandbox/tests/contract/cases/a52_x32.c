/*
 * attack: 52
 * title: the x32 door, where a call has the same number with a bit more, and passes careless filters by
 * ends: forbidden-call
 * never: pid=
 */
#include "say.h"

int main(void)
{
#ifdef __x86_64__
    say_number("pid", syscall(0x40000000 | SYS_getpid));
#else
    /* There is no such door. */
    raise(SIGSYS);
#endif
    return 0;
}
