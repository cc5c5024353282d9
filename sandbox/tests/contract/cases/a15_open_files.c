/*
 * attack: 15
 * title: opens files until none is left
 * limits: open_files=48
 * ends: exited 0
 * says: open=EMFILE
 * says: files=40..48
 */
#include "say.h"

int main(void)
{
    long files = 3;
    while (open("/dev/null", O_RDONLY) != -1)
        files++;
    say("open", errno_name(errno));
    say_number("files", files);
    return 0;
}
