/*
 * attack: 23
 * title: closes its streams and exits 0
 * ends: exited 0
 * stdout: ""
 * stderr: ""
 */
#include "say.h"

int main(void)
{
    close(0);
    close(1);
    close(2);
    return 0;
}
