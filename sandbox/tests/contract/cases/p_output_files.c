/*
 * attack: plain
 * title: output files are collected, each up to its size
 * collect: out.txt 5B
 * collect: empty 1B
 * collect: large 4B
 * collect: none 1KiB
 * collect: a/deep 1KiB
 * collect: a/none 1KiB
 * collect: b/none 1KiB
 * ends: exited 0
 * file: out.txt "a\u0000b\nc"
 * file: empty ""
 * file: large too-large
 * file: none missing
 * file: a/deep "deep"
 * file: a/none missing
 * file: b/none missing
 */
#include "say.h"

static int put(const char *path, const char *text, size_t length)
{
    return write(open(path, O_CREAT | O_WRONLY, 0600), text, length) != (ssize_t)length;
}

int main(void)
{
    return put("out.txt", "a\0b\nc", 5) || put("empty", "", 0) || put("large", "12345", 5)
        || mkdir("a", 0700) || put("a/deep", "deep", 4);
}
