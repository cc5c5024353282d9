/* Asks once, and goes home with exit code 0 and without an answer. */
#include <stdio.h>

int main(void) {
    int n, height;
    if (scanf("%d", &n) != 1) return 1;
    printf("? 1\n");
    fflush(stdout);
    if (scanf("%d", &height) != 1) return 1;
    return 0;
}
