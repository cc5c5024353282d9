/*
 * attack: 75
 * title: what the filter leaves to the slot's own processes, with every word that a guest can find for their key
 * ends: exited 0
 * says: unshare=0
 * says: clone3=0
 * says: mount=0
 */
#include "say.h"
#include <linux/sched.h>
#include <stdint.h>
#include <sys/auxv.h>

static long unshared, cloned, mounted;

static void with(uint64_t key)
{
    unshared += syscall(SYS_unshare, CLONE_NEWUSER, 0, 0, 0, 0, key) == 0;
    struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
    long child = syscall(SYS_clone3, &args, sizeof args, 0, 0, 0, key);
    if (child == 0)
        _exit(0);
    cloned += child > 0;
    mounted += syscall(SYS_umount2, "/w", MNT_DETACH, 0, 0, 0, key) == 0;
    mounted += syscall(SYS_open_tree, AT_FDCWD, "/w", 1 /* OPEN_TREE_CLONE */, 0, 0, key) >= 0;
}

/* What was left on the stack, by whoever was here before. */
static void words(const uint64_t *from, const uint64_t *to)
{
    for (; from < to; from++)
        if (*from)
            with(*from);
}

int main(int argc, char **argv)
{
    (void)argc;
    const uint64_t likely[] = { 0, 1, UINT64_MAX, INT64_MAX, UINT32_MAX, (uint64_t)UINT32_MAX << 32 };
    for (unsigned i = 0; i < sizeof likely / sizeof *likely; i++)
        with(likely[i]);
    for (int bit = 0; bit < 64; bit++)
        with(1ULL << bit);
    const uint64_t *random = (const uint64_t *)getauxval(AT_RANDOM);
    words(random, random + 2);
    /* From here up to the strings of the program: registers that were pushed, auxiliary vector. */
    uint64_t here = 0;
    words(&here - 512, (const uint64_t *)((uintptr_t)argv[0] & ~7ULL));
    say_number("unshare", unshared);
    say_number("clone3", cloned);
    say_number("mount", mounted);
    return 0;
}
