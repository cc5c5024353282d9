/*
 * attack: plain
 * title: exactly one mebibyte of output, many times what a pipe holds
 * limits: output=1MiB
 * ends: exited 0
 * stdout-size: 1MiB..1MiB
 */
#include "say.h"

int main(void)
{
    static char block[65536];
    for (int i = 0; i < 16; i++)
        for (size_t done = 0; done < sizeof block;) {
            ssize_t put = write(1, block + done, sizeof block - done);
            if (put < 0)
                return 1;
            done += (size_t)put;
        }
    return 0;
}
