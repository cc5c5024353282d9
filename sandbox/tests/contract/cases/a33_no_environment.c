/*
 * attack: 33
 * title: nothing of our environment is inherited
 * ends: exited 0
 * stdout: ""
 */
#include "say.h"

int main(void)
{
    for (char **entry = environ; *entry; entry++)
        say("inherited", *entry);
    return 0;
}
