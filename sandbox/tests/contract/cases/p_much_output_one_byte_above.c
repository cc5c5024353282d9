/*
 * attack: plain
 * title: one mebibyte of output and one byte
 * limits: output=1MiB
 * ends: output-limit
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
    return write(1, "x", 1) != 1;
}
