/*
 * attack: 27
 * title: exits 127 and prints what an engine prints that cannot start a program
 * ends: exited 127
 * stdout: ""
 * stderr: "execve(\"/box/main\"): No such file or directory\n"
 */
#include "say.h"

int main(void)
{
    dprintf(2, "execve(\"/box/main\"): No such file or directory\n");
    return 127;
}
