/* Allocates nothing when nothing squeaks, and then looks there: SIGSEGV. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    int n, m;
    if (scanf("%d %d", &n, &m) != 2) return 1;
    volatile int *steps = m > 0 ? malloc(m * sizeof *steps) : NULL;
    for (int i = 0, step; i < m && scanf("%d", &step) == 1; i++) steps[i] = step;
    long long a = 0, b = 0, c = 1;
    for (int step = 1, i = 0; step <= n; step++) {
        long long next = (a + b + c) % 1000000007;
        if (steps[i] == step) {
            next = 0;
            if (i + 1 < m) i++;
        }
        a = b, b = c, c = next;
    }
    printf("%lld\n", c);
    return 0;
}
