/*
 * attack: 17
 * title: names of 255 odd bytes, folders without any permission
 * ends: exited 0
 * says: names=200
 * says: closed=ok
 */
#include "say.h"

int main(void)
{
    long names = 0;
    for (int i = 1; i <= 200; i++) {
        char name[256];
        memset(name, 0x80 + i % 64, 255);
        name[0] = (char)i == '/' || i == '.' ? 'x' : (char)i;
        name[1] = '\n';
        name[255] = 0;
        int file = open(name, O_CREAT | O_WRONLY, 0);
        names += file != -1;
        close(file);
    }
    say_number("names", names);
    if (mkdir("closed", 0700) || mkdir("closed/inner", 0) || chmod("closed", 0))
        say("closed", errno_name(errno));
    else
        say("closed", "ok");
    return 0;
}
