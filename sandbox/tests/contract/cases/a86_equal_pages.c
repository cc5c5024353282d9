/*
 * attack: 66, 86
 * title: whether another box has the same page, where the kernel merges equal ones
 * ends: exited 0
 * says: merge=EPERM
 * says: merge_all=EPERM
 * says: huge=ok|EINVAL
 */
#include "say.h"

int main(void)
{
    size_t size = 1 << 21;
    char *page = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRY("merge", madvise(page, size, MADV_MERGEABLE));
    TRY("merge_all", prctl(67 /* PR_SET_MEMORY_MERGE */, 1, 0, 0, 0));
    TRY("huge", madvise(page, size, MADV_HUGEPAGE));
    return 0;
}
