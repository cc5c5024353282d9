/* Stores the first height through a null pointer: SIGSEGV in the middle of the talk. */
#include <stdio.h>

int main(void) {
    int n, height;
    int *volatile heights = NULL;
    if (scanf("%d", &n) != 1) return 1;
    printf("? 1\n");
    fflush(stdout);
    if (scanf("%d", &height) != 1) return 1;
    *(volatile int *)heights = height;
    printf("! 1\n");
    return 0;
}
