/*
 * attack: 72
 * title: calls by the fixed page of old kernels, which is no way past the limit or the filter
 * limits: cpu=300ms wall=5s
 * ends: cpu-limit
 * says: page=answers|faults
 * took: ..1500ms
 */
#include "say.h"
#include <setjmp.h>

static sigjmp_buf behind;

static void fault(int signal)
{
    (void)signal;
    siglongjmp(behind, 1);
}

int main(void)
{
    signal(SIGSEGV, fault);
#ifdef __x86_64__
    /* time(2), Documentation/admin-guide/kernel-parameters.txt, "vsyscall". */
    long (*volatile page)(long *) = (long (*)(long *))0xffffffffff600400;
#else
    long (*volatile page)(long *) = NULL;
#endif
    if (sigsetjmp(behind, 1) == 0)
        say("page", page(NULL) > 0 ? "answers" : "fails");
    else
        say("page", "faults");
    for (;;)
        if (sigsetjmp(behind, 1) == 0)
            page(NULL);
}
