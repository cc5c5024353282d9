/*
 * attack: 28
 * title: kills its process group
 * ends: signalled 9
 * took: ..1s
 */
#include "say.h"

int main(void)
{
    kill(0, SIGKILL);
    wait_for_ever();
}
