/*
 * attack: 66
 * title: what tells of the load and of others: statistics, and which pages of shared files are in memory
 * proc: on
 * ends: exited 0
 * says: stat=ENOENT
 * says: loadavg=ENOENT
 * says: uptime=ENOENT
 * says: meminfo=ENOENT
 * says: vmstat=ENOENT
 * says: interrupts=ENOENT
 * says: diskstats=ENOENT
 * says: pressure=ENOENT
 * says: not_in_memory=0
 * isolate-because: isolate mounts the whole of procfs
 * isolate-says: stat=ok|ENOENT
 * isolate-says: loadavg=ok|ENOENT
 * isolate-says: uptime=ok|ENOENT
 * isolate-says: meminfo=ok|ENOENT
 * isolate-says: vmstat=ok|ENOENT
 * isolate-says: interrupts=ok|ENOENT
 * isolate-says: diskstats=ok|ENOENT
 * isolate-says: pressure=ok|ENOENT
 *
 * mincore(2) says of files that the caller may not write that all of them is in memory, since Linux
 * 5.2 (mm/mincore.c, can_do_mincore).
 */
#include "say.h"

static long not_in_memory(const char *path)
{
    static unsigned char pages[1 << 16];
    struct stat file;
    int fd = open(path, O_RDONLY);
    if (fd == -1 || fstat(fd, &file) == -1)
        return -1;
    size_t length = (size_t)file.st_size < sizeof pages * 4096 ? (size_t)file.st_size
                                                               : sizeof pages * 4096;
    void *at = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
    if (at == MAP_FAILED || mincore(at, length, pages) == -1)
        return -1;
    long absent = 0;
    for (size_t page = 0; page < (length + 4095) / 4096; page++)
        absent += !(pages[page] & 1);
    return absent;
}

int main(void)
{
    TRY("stat", open("/proc/stat", O_RDONLY));
    TRY("loadavg", open("/proc/loadavg", O_RDONLY));
    TRY("uptime", open("/proc/uptime", O_RDONLY));
    TRY("meminfo", open("/proc/meminfo", O_RDONLY));
    TRY("vmstat", open("/proc/vmstat", O_RDONLY));
    TRY("interrupts", open("/proc/interrupts", O_RDONLY));
    TRY("diskstats", open("/proc/diskstats", O_RDONLY));
    TRY("pressure", open("/proc/pressure/cpu", O_RDONLY));
    /* Large, and nobody here reads all of it. */
    say_number("not_in_memory", not_in_memory("/usr/bin/perl"));
    return 0;
}
