/*
 * attack: 17
 * title: 3000 folders within each other
 * collect: d 1KiB
 * ends: exited 0
 * says: depth=3000
 * file: d not-regular
 * took: ..2s
 */
#include "say.h"

int main(void)
{
    long depth = 0;
    while (depth < 3000 && mkdir("d", 0700) == 0 && chdir("d") == 0)
        depth++;
    say_number("depth", depth);
    return 0;
}
