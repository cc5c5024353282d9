/*
 * attack: 54
 * title: many crashes leave no core and do not take long
 * ends: exited 0
 * says: crashes=200
 * says: dumped=0
 * says: core=ENOENT
 * says: raise=ok
 * says: lower=ok
 * says: limit=1
 * wall: ..5s
 *
 * The kernel starts no core_pattern at a limit of exactly 1 (fs/coredump.c). To set it succeeds and
 * changes nothing.
 */
#include "say.h"

int main(void)
{
    long crashes = 0, dumped = 0;
    for (int i = 0; i < 200; i++) {
        pid_t child = fork();
        if (child == 0)
            abort();
        int status;
        if (waitpid(child, &status, 0) == child && WIFSIGNALED(status)) {
            crashes++;
            dumped += WCOREDUMP(status) != 0;
        }
    }
    say_number("crashes", crashes);
    say_number("dumped", dumped);
    TRY("core", open("/w/core", O_RDONLY));
    struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
    struct rlimit none = { 0, 0 }, is;
    TRY("raise", setrlimit(RLIMIT_CORE, &unlimited));
    TRY("lower", syscall(SYS_prlimit64, 0, RLIMIT_CORE, &none, NULL));
    getrlimit(RLIMIT_CORE, &is);
    say("limit", is.rlim_cur == 1 && is.rlim_max == 1 ? "1" : "another");
    return 0;
}
