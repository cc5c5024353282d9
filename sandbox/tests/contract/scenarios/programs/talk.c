/* One side of a conversation: `die` ends at once, `wait` reads to the end, `flood` writes without
 * end and reads nothing. */
#include "say.h"

int main(int argc, char **argv)
{
    static char block[65536];
    const char *how = argc > 1 ? argv[1] : "die";
    if (!strcmp(how, "wait"))
        while (read(0, block, sizeof block) > 0)
            ;
    if (!strcmp(how, "flood"))
        while (write(1, block, sizeof block) > 0)
            ;
    return strcmp(how, "die") ? 0 : 3;
}
