/*
 * attack: plain
 * title: input files are there and belong to the program
 * files: {"in.txt": "one", "a/b/c.txt": "two"}
 * collect: in.txt 1KiB
 * collect: a/b/new.txt 1KiB
 * ends: exited 0
 * says: owner=own
 * says: executable=0
 * says: nested=two
 * says: append=ok
 * says: new=ok
 * file: in.txt "one!"
 * file: a/b/new.txt "!"
 */
#include "say.h"

int main(void)
{
    struct stat status;
    stat("in.txt", &status);
    say("owner", status.st_uid == getuid() ? "own" : "other");
    say_number("executable", (status.st_mode & 0111) != 0);
    char text[16] = { 0 };
    if (read(open("a/b/c.txt", O_RDONLY), text, sizeof text - 1) < 0)
        return 1;
    say("nested", text);
    TRY("append", write(open("in.txt", O_WRONLY | O_APPEND), "!", 1));
    TRY("new", write(open("a/b/new.txt", O_CREAT | O_WRONLY, 0), "!", 1));
    return 0;
}
