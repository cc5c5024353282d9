/*
 * attack: plain
 * title: standard input is a file: seekable, of known size, read-only
 * stdin: "hello\n\u0000world"
 * ends: exited 0
 * says: size=12
 * says: regular=1
 * says: first=12
 * says: again=12
 * says: same=1
 * says: write=EBADF
 */
#include "say.h"

int main(void)
{
    struct stat status;
    char text[64];
    fstat(0, &status);
    say_number("size", status.st_size);
    say_number("regular", S_ISREG(status.st_mode));
    say_number("first", read(0, text, sizeof text));
    lseek(0, 0, SEEK_SET);
    say_number("again", read(0, text, sizeof text));
    say_number("same", memcmp(text, "hello\n\0world", 12) == 0);
    TRY("write", write(0, "x", 1));
    return 0;
}
