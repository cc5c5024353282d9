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
 * says: in_memory=ENOSYS
 * isolate-because: isolate mounts the whole of procfs
 * isolate-says: stat=ok|ENOENT
 * isolate-says: loadavg=ok|ENOENT
 * isolate-says: uptime=ok|ENOENT
 * isolate-says: meminfo=ok|ENOENT
 * isolate-says: vmstat=ok|ENOENT
 * isolate-says: interrupts=ok|ENOENT
 * isolate-says: diskstats=ok|ENOENT
 * isolate-says: pressure=ok|ENOENT
 */
#include "say.h"

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
    static unsigned char page[1];
    void *own = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRY("in_memory", mincore(own, 4096, page));
    return 0;
}
