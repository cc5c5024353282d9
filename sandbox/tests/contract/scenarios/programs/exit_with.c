/* Exits with the code of its argument. */
#include "say.h"

int main(int argc, char **argv)
{
    _exit(argc > 1 ? atoi(argv[1]) : 0);
}
