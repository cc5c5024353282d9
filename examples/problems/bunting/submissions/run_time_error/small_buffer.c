/* Hangs a thousand flags at most, and leaves with exit code 1 when there are more. */
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    int k, flags[26], total = 0, last = -1, length = 0;
    char cord[1001] = "";
    if (scanf("%d", &k) != 1) return 1;
    for (int i = 0; i < k; i++) {
        if (scanf("%d", &flags[i]) != 1) return 1;
        total += flags[i];
    }
    if (total > 1000) exit(1);
    while (length < total) {
        int best = -1;
        for (int i = 0; i < k; i++)
            if (i != last && flags[i] > 0 && (best < 0 || flags[i] > flags[best])) best = i;
        if (best < 0) break;
        flags[best]--;
        cord[length++] = (char)('a' + best);
        last = best;
    }
    puts(length == total ? cord : "impossible");
    return 0;
}
