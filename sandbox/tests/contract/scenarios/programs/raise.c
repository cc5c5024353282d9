/* Sends itself the signal of its argument, past the C library, which keeps two for itself. Exits
 * with 0 when it is none the worse for it. */
#include "say.h"

int main(int argc, char **argv)
{
    if (argc > 1 && syscall(SYS_tgkill, getpid(), gettid(), atoi(argv[1])))
        return 1;
    return 0;
}
