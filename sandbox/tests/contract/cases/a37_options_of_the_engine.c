/*
 * attack: 37
 * title: arguments and variables that look like options of an engine, a shell or the loader
 * argv: ["--share-net", "--dir=/root:rw", "--cg-mem=0", "--processes=0", "-v", "--", "; touch /w/x", "$(touch /w/x)", "`touch /w/x`", "@/etc/passwd"]
 * env: ["BASH_ENV=/w/x", "LD_PRELOAD=/w/x", "ISOLATE_OPTIONS=--share-net"]
 * ends: exited 0
 * says: arguments=10
 * says: variables=3
 * says: made=ENOENT
 * says: root=ENOENT|EACCES
 * stderr: ""
 */
#include "say.h"

int main(int argc, char **argv)
{
    (void)argv;
    say_number("arguments", argc - 1);
    long variables = 0;
    for (char **entry = environ; *entry; entry++)
        variables++;
    say_number("variables", variables);
    TRY("made", open("/w/x", O_RDONLY));
    TRY("root", open("/root", O_RDONLY));
    return 0;
}
