/*
 * attack: plain
 * title: the limits that the kernel holds are those of the job
 * limits: open_files=77 stack=3MiB file_size=123KiB
 * ends: exited 0
 * says: open_files=77
 * says: stack=3145728
 * says: file_size=125952
 * says: core=0|1
 */
#include "say.h"

static void limit(const char *key, int which)
{
    struct rlimit limit;
    getrlimit(which, &limit);
    say_number(key, limit.rlim_cur == limit.rlim_max ? (long)limit.rlim_max : -1);
}

int main(void)
{
    limit("open_files", RLIMIT_NOFILE);
    limit("stack", RLIMIT_STACK);
    limit("file_size", RLIMIT_FSIZE);
    limit("core", RLIMIT_CORE);
    return 0;
}
