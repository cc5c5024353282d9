/*
 * attack: 35
 * title: keeps swapping a file for a link while the run ends
 * collect: out 1KiB
 * ends: exited 0
 * file: out "good" | not-regular | missing
 */
#include "say.h"

int main(void)
{
    int file = open("regular", O_CREAT | O_WRONLY, 0600);
    if (write(file, "good", 4) != 4 || symlink("/etc/passwd", "link"))
        return 1;
    if (fork() == 0)
        for (;;) {
            rename("regular", "out");
            rename("out", "regular");
            rename("link", "out");
            rename("out", "link");
        }
    usleep(20 * 1000);
    return 0;
}
