/* Follows a null pointer to the first stroke: SIGSEGV. */
#include <stdio.h>

int main(void) {
    static char log[300002];
    char *volatile stroke = NULL;
    if (!fgets(log, sizeof log, stdin)) return 1;
    printf("%d\n", *(volatile char *)stroke);
    return 0;
}
