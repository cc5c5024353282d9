/* Leaves the last flag of the last colour in the box. */
#include <stdio.h>

int main(void) {
    int k, flags[26], total = 0, last = -1;
    if (scanf("%d", &k) != 1) return 1;
    for (int i = 0; i < k; i++) {
        if (scanf("%d", &flags[i]) != 1) return 1;
        total += flags[i];
    }
    flags[k - 1]--;
    for (int place = 1; place < total; place++) {
        int best = -1;
        for (int i = 0; i < k; i++)
            if (i != last && flags[i] > 0 && (best < 0 || flags[i] > flags[best])) best = i;
        if (best < 0) break;
        flags[best]--;
        putchar('a' + best);
        last = best;
    }
    putchar('\n');
    return 0;
}
