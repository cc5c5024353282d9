/* Seven digits are all that a float has. */
#include <math.h>
#include <stdio.h>

static float x[2000], y[2000];
static int n;

static float total(float pump) {
    float sum = 0;
    for (int i = 0; i < n; i++) sum += hypotf(x[i] - pump, y[i]);
    return sum;
}

int main(void) {
    if (scanf("%d", &n) != 1) return 1;
    for (int i = 0; i < n; i++)
        if (scanf("%f %f", &x[i], &y[i]) != 2) return 1;
    float low = -1e6f, high = 1e6f;
    for (int round = 0; round < 120; round++) {
        float left = low + (high - low) / 3, right = high - (high - low) / 3;
        if (total(left) < total(right)) high = right;
        else low = left;
    }
    printf("%.9f\n", total(low));
    return 0;
}
