#include <stdio.h>

#define MOST 300000

static int seen[2 * MOST + 1];

int main(void) {
    long long found = 0;
    int course = MOST, stroke;
    seen[course] = 1;
    while ((stroke = getchar()) == 'L' || stroke == 'R') {
        course += stroke == 'L' ? 1 : -1;
        found += seen[course]++;
    }
    printf("%lld\n", found);
    return 0;
}
