/*
 * attack: 18
 * title: one file larger than a file may be
 * limits: file_size=1MiB
 * ends: output-limit
 */
#include "say.h"

int main(void)
{
    static char block[4096];
    int file = open("big", O_CREAT | O_WRONLY, 0600);
    for (int i = 0; i < 100000; i++)
        if (write(file, block, sizeof block) == -1)
            say("write", errno_name(errno));
    return 0;
}
