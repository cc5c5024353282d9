/* @EXPECTED_SCORE@: 50 */
/* Counts in 32 bits: a long log has more stretches. */
#include <stdio.h>

#define MOST 300000

static int seen[2 * MOST + 1];

int main(void) {
    unsigned found = 0;
    int course = MOST, stroke;
    seen[course] = 1;
    while ((stroke = getchar()) == 'L' || stroke == 'R') {
        course += stroke == 'L' ? 1 : -1;
        found += seen[course]++;
    }
    printf("%u\n", found);
    return 0;
}
