/*
 * attack: 34
 * title: links where an output file is expected
 * collect: shadow 1MiB
 * collect: meta 1MiB
 * collect: memory 1MiB
 * collect: etc/passwd 1MiB
 * collect: loop 1MiB
 * collect: own 1MiB
 * ends: exited 0
 * file: shadow not-regular
 * file: meta not-regular
 * file: memory not-regular
 * file: etc/passwd not-regular
 * file: loop not-regular
 * file: own not-regular
 */
#include "say.h"

int main(void)
{
    if (symlink("/etc/shadow", "shadow") || symlink("../../meta", "meta")
        || symlink("/proc/self/mem", "memory") || symlink("/etc", "etc")
        || symlink("loop", "loop"))
        return 1;
    close(open("target", O_CREAT | O_WRONLY, 0600));
    return symlink("target", "own");
}
