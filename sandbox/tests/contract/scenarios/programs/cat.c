/* Copies standard input to standard output. */
#include "say.h"

int main(void)
{
    static char block[65536];
    for (;;) {
        ssize_t got = read(0, block, sizeof block);
        if (got <= 0)
            return got < 0;
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(1, block + done, (size_t)(got - done));
            if (put < 0)
                return 2;
            done += put;
        }
    }
}
