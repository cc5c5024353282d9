/* Touches one mebibyte after the other, without end, and says how many so far. */
#include "say.h"

int main(void)
{
    for (long mib = 1; touch(1 << 20); mib++)
        say_number("mib", mib);
    return 0;
}
