#include <stdio.h>

static int ask(int i) {
    int height = 0;
    printf("? %d\n", i);
    fflush(stdout);
    return scanf("%d", &height) == 1 ? height : 0;
}

int main(void) {
    int n;
    if (scanf("%d", &n) != 1) return 1;
    int low = 1, high = n;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (ask(middle) < ask(middle + 1)) low = middle + 1;
        else high = middle;
    }
    printf("! %d\n", low);
    return 0;
}
