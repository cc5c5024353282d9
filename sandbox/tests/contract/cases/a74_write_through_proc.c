/*
 * attack: 30, 74
 * title: writes to read-only memory by /proc/self/mem; a file that is mapped stays as it is
 * proc: on
 * ends: exited 0
 * says: own_copy=ok|EIO|EFAULT|EBADF
 * says: shared=EIO|EFAULT|EACCES|EPERM|EBADF
 * says: file=unchanged
 *
 * EBADF where the file could not even be opened.
 */
#include "say.h"

int main(int argc, char **argv)
{
    (void)argc;
    char before[16], after[16];
    int self = open(argv[0], O_RDONLY);
    int mem = open("/proc/self/mem", O_RDWR);
    char *own = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, self, 0);
    char *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, self, 0);
    pread(self, before, sizeof before, 0);
    TRY("own_copy", pwrite(mem, "evalx", 5, (off_t)(uintptr_t)own));
    TRY("shared", pwrite(mem, "evalx", 5, (off_t)(uintptr_t)shared));
    pread(self, after, sizeof after, 0);
    say("file", memcmp(before, after, sizeof before) ? "changed" : "unchanged");
    return 0;
}
