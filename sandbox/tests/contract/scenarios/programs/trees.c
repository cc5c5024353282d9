/* Leaves a tree in the work directory: so many folders in each other, with so many files in each, each
 * of so many KiB. */
#include "say.h"

int main(int argc, char **argv)
{
    static char block[1 << 20];
    if (argc < 4)
        return 2;
    int deep = atoi(argv[1]), wide = atoi(argv[2]);
    size_t size = (size_t)atoi(argv[3]) << 10;
    long files = 0;
    memset(block, 'x', sizeof block);
    for (int level = 0; level < deep; level++) {
        for (int i = 0; i < wide; i++) {
            char name[32];
            snprintf(name, sizeof name, "f%d", i);
            int file = open(name, O_CREAT | O_EXCL | O_WRONLY, 0600);
            if (file == -1 || write(file, block, size) != (ssize_t)size)
                return 1;
            close(file);
            files++;
        }
        if (level + 1 < deep && (mkdir("d", 0700) || chdir("d")))
            return 1;
    }
    say_number("files", files);
    return 0;
}
