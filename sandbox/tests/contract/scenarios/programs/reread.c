/* Reads the file it is given to its end, and says how much that was. */
#include "say.h"

int main(int argc, char **argv)
{
    static char block[1 << 20];
    long bytes = 0;
    ssize_t n;
    int file = open(argv[argc - 1], O_RDONLY);
    while ((n = read(file, block, sizeof block)) > 0)
        bytes += n;
    say_number("mib", bytes >> 20);
    return 0;
}
