/* Writes every byte value in order, and no newline at the end, to both streams. */
#include "say.h"

int main(void)
{
    unsigned char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (unsigned char)i;
    return write(1, all, 256) != 256 || write(2, all, 256) != 256;
}
