/* Says of each path among its arguments whether it can be opened, as `0=`, `1=` and so on. */
#include "say.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i - 1);
        TRY(key, open(argv[i], O_RDONLY));
        /* Or the next paths would lead to it, by way of /proc/self/fd. */
        closefrom(3);
    }
    return 0;
}
