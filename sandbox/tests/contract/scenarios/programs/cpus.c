/* Says which CPUs it may run on and which it ran on, with threads and a child, after it has tried to
 * be granted all. Waits for the end of its input first. */
#include "say.h"

enum { THREADS = 4, MOST = 1024 };

static unsigned char ran[MOST];

static void say_set(const char *key, const cpu_set_t *set)
{
    char text[4000];
    size_t length = 0;
    text[0] = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE && length + 8 < sizeof text; cpu++)
        if (CPU_ISSET(cpu, set))
            length += (size_t)sprintf(text + length, "%s%d", length ? "," : "", cpu);
    say(key, text);
}

static void say_allowed(const char *key)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    sched_getaffinity(0, sizeof set, &set);
    say_set(key, &set);
}

/* 20 ms on the clock of the thread. */
static void *spin(void *unused)
{
    (void)unused;
    struct timespec now;
    do {
        int cpu = sched_getcpu();
        if (cpu >= 0 && cpu < MOST)
            ran[cpu] = 1;
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    } while (now.tv_sec == 0 && now.tv_nsec < 20000000);
    return NULL;
}

int main(void)
{
    char byte;
    while (read(0, &byte, 1) > 0)
        ;
    say_allowed("allowed");
    cpu_set_t all;
    memset(&all, 0xff, sizeof all);
    TRY("widen", sched_setaffinity(0, sizeof all, &all));
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, spin, NULL))
            return 1;
    spin(NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cpu_set_t seen;
    CPU_ZERO(&seen);
    for (int cpu = 0; cpu < MOST; cpu++)
        if (ran[cpu])
            CPU_SET(cpu, &seen);
    say_set("ran", &seen);
    if (fork() == 0) {
        TRY("child_widens", sched_setaffinity(0, sizeof all, &all));
        say_allowed("child");
        return 0;
    }
    wait(NULL);
    return 0;
}
