/* Says as whom it runs, as many seconds later as its argument says. */
#include "say.h"

int main(int argc, char **argv)
{
    sleep(argc > 1 ? atoi(argv[1]) : 0);
    printf("%d\n", (int)getuid());
    return 0;
}
