/*
 * attack: 72
 * title: a restartable sequence that is always restarted, and threads that lose where theirs are noted
 * limits: cpu=300ms wall=5s
 * ends: cpu-limit
 * says: thread=lost
 * took: ..1500ms
 *
 * Whose note cannot be written is killed by the kernel as soon as it is interrupted (rseq(2)).
 */
#include "say.h"
#include <linux/rseq.h>
#include <sys/rseq.h>

static long register_at(void *note, unsigned size, int flags)
{
    return syscall(SYS_rseq, note, size, flags, RSEQ_SIG);
}

/* Takes the note away that the C library has registered; its size differs by version. */
static void forget(void)
{
    char *note = (char *)__builtin_thread_pointer() + __rseq_offset;
    for (unsigned size = 32; size <= 1024; size += 4)
        if (register_at(note, size, RSEQ_FLAG_UNREGISTER) == 0)
            return;
}

static void *note_somewhere(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    forget();
    if (page == MAP_FAILED || register_at(page, 32, 0))
        _exit(2);
    return page;
}

int main(void)
{
    pid_t child = fork();
    if (child == 0) {
        munmap(note_somewhere(), 4096);
        for (;;)
            sched_yield();
    }
    int status;
    waitpid(child, &status, 0);
    say("thread", WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV ? "lost" : "kept");
    volatile struct rseq *note = note_somewhere();
#ifdef __x86_64__
    /* From 1 to 2 is the sequence; whoever is interrupted in it begins again at 4. */
    static struct rseq_cs sequence;
    __asm__ volatile("leaq 1f(%%rip), %%rax\n\t"
                     "movq %%rax, 8(%0)\n\t"
                     "leaq 2f(%%rip), %%rcx\n\t"
                     "subq %%rax, %%rcx\n\t"
                     "movq %%rcx, 16(%0)\n\t"
                     "leaq 4f(%%rip), %%rax\n\t"
                     "movq %%rax, 24(%0)\n\t"
                     "jmp 4f\n\t"
                     ".long %c2\n"
                     "4:\n\t"
                     "movq %0, 8(%1)\n"
                     "1:\n\t"
                     "jmp 1b\n"
                     "2:\n\t"
                     "nop\n"
                     :
                     : "r"(&sequence), "r"(note), "i"(RSEQ_SIG)
                     : "rax", "rcx", "memory");
#else
    (void)note;
    burn(1000);
#endif
    return 0;
}
