#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

// The total is convex, so its slope tells on which side the best place lies.
int main() {
    int n;
    if (std::scanf("%d", &n) != 1) return 1;
    std::vector<double> x(n), y(n);
    for (int i = 0; i < n; i++)
        if (std::scanf("%lf %lf", &x[i], &y[i]) != 2) return 1;
    double low = *std::min_element(x.begin(), x.end()), high = *std::max_element(x.begin(), x.end());
    for (int round = 0; round < 100; round++) {
        double pump = (low + high) / 2, slope = 0;
        for (int i = 0; i < n; i++)
            if (pump != x[i] || y[i] > 0) slope += (pump - x[i]) / std::hypot(pump - x[i], y[i]);
        (slope < 0 ? low : high) = pump;
    }
    double total = 0;
    for (int i = 0; i < n; i++) total += std::hypot(low - x[i], y[i]);
    std::printf("%.9f\n", total);
}
