/*
 * attack: 19
 * title: a sparse file of 1 TB
 * collect: sparse 1MiB
 * ends: output-limit
 * file: sparse "" | missing
 */
#include "say.h"

int main(void)
{
    int file = open("sparse", O_CREAT | O_WRONLY, 0600);
    TRY("truncate", ftruncate(file, (off_t)1 << 40));
    return 0;
}
