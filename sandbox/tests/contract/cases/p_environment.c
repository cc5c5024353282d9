/*
 * attack: plain
 * title: the environment is what was given, in its order
 * env: ["LANG=C.UTF-8", "EMPTY=", "EQUAL=a=b", "ODD= x\ny\"'$", "PATH=/usr/bin"]
 * ends: exited 0
 * stdout: "LANG=C.UTF-8;EMPTY=;EQUAL=a=b;ODD= x\ny\"'$;PATH=/usr/bin;"
 */
#include "say.h"

int main(void)
{
    for (char **entry = environ; *entry; entry++)
        printf("%s;", *entry);
    return 0;
}
