#include <stdio.h>

static char squeaky[1001];
static long long ways[1001];

int main(void) {
    int n, m, step;
    if (scanf("%d %d", &n, &m) != 2) return 1;
    while (m-- > 0 && scanf("%d", &step) == 1) squeaky[step] = 1;
    ways[0] = 1;
    for (int i = 1; i <= n; i++)
        for (int jump = 1; jump <= 3 && jump <= i; jump++)
            if (!squeaky[i]) ways[i] = (ways[i] + ways[i - jump]) % 1000000007;
    printf("%lld\n", ways[n]);
    return 0;
}
