/* @EXPECTED_RESULTS@: OUTPUT_LIMIT */
/* Prints each step of a search that ends when two doubles meet, which neighbours never do. */
#include <math.h>
#include <stdio.h>

static double x[2000], y[2000];

int main(void) {
    int n;
    double low = 1e6, high = -1e6, total = 0;
    if (scanf("%d", &n) != 1) return 1;
    for (int i = 0; i < n; i++) {
        if (scanf("%lf %lf", &x[i], &y[i]) != 2) return 1;
        low = fmin(low, x[i]);
        high = fmax(high, x[i]);
    }
    while (low != high) {
        double pump = (low + high) / 2, slope = 0;
        for (int i = 0; i < n && i < 10; i++)
            if (pump != x[i] || y[i] > 0) slope += (pump - x[i]) / hypot(pump - x[i], y[i]);
        printf("between %.17g and %.17g\n", low, high);
        if (slope < 0) low = pump;
        else high = pump;
    }
    for (int i = 0; i < n; i++) total += hypot(low - x[i], y[i]);
    printf("%.9f\n", total);
    return 0;
}
