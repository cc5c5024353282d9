/* Sleeps a millisecond at a time, for ever. */
#include "say.h"

int main(void)
{
    for (;;)
        usleep(1000);
}
