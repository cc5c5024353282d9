/*
 * attack: 19
 * title: a sparse file within the limit is refused by its size, not by its blocks
 * limits: file_size=4096MiB
 * collect: sparse 1MiB
 * ends: exited 0
 * says: truncate=ok
 * file: sparse too-large
 * took: ..1s
 */
#include "say.h"

int main(void)
{
    int file = open("sparse", O_CREAT | O_WRONLY, 0600);
    TRY("truncate", ftruncate(file, (off_t)3 << 30));
    return 0;
}
