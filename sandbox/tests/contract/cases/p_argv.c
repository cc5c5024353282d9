/*
 * attack: plain
 * title: arguments arrive byte for byte
 * argv: ["", " ", "-x", "--", "a\nb", "'\"$`\\*?", "\u00e9\u4e16", "\u0001\u007f\t", "="]
 * ends: exited 0
 * stdout: "\n20\n2d78\n2d2d\n610a62\n272224605c2a3f\nc3a9e4b896\n017f09\n3d\n"
 */
#include "say.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        for (unsigned char *byte = (unsigned char *)argv[i]; *byte; byte++)
            printf("%02x", *byte);
        printf("\n");
    }
    return 0;
}
