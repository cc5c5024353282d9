/*
 * attack: 12
 * title: one byte read in every 2 MiB of a huge mapping: memory in page tables alone
 * limits: memory=32MiB
 * ends: memory-limit
 */
#include "say.h"

int main(void)
{
    const size_t size = (size_t)1 << 40, stride = 2 << 20;
    volatile char *at =
        mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        say("mmap", errno_name(errno));
        return 0;
    }
    madvise((void *)at, size, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < size; i += stride)
        (void)at[i];
    say("mmap", "ok");
    return 0;
}
