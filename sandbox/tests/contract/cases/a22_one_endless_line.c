/*
 * attack: 22
 * title: one line of 256 MiB, of bytes that are no text
 * limits: output=1MiB
 * ends: output-limit
 * stdout-size: 1MiB..1MiB
 * took: ..2s
 */
#include "say.h"

int main(void)
{
    static char block[1 << 16];
    for (size_t i = 0; i < sizeof block; i++)
        block[i] = (char)(i % 3 ? 0xff : 0);
    for (long done = 0; done < 256 << 20; done += sizeof block)
        if (write(1, block, sizeof block) < 0)
            return 1;
    return 0;
}
