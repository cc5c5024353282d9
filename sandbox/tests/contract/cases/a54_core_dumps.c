/*
 * attack: 54
 * title: many crashes leave no core and do not take long
 * ends: exited 0
 * says: crashes=200
 * says: dumped=0
 * says: core=ENOENT
 * says: raise=EPERM
 * wall: ..5s
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
    TRY("raise", setrlimit(RLIMIT_CORE, &unlimited));
    return 0;
}
