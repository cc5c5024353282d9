/*
 * attack: plain
 * title: standard input is a file: seekable, of known size, not to be changed
 * stdin: "hello\n\u0000world"
 * ends: exited 0
 * says: size=12
 * says: regular=1
 * says: first=12
 * says: again=12
 * says: same=1
 * says: write=EPERM
 * says: shorter=-1
 * says: shared=0
 * isolate-says: write=EBADF
 * isolate-because: isolate opens it for reading only; the native engine's is sealed (memfd_create(2))
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
    say_number("shorter", ftruncate(0, 3));
    say_number("shared", mmap(NULL, 12, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0) != MAP_FAILED);
    return 0;
}
