// Tries every tenth of a millimetre between the first and the last farm.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

int main() {
    int n;
    if (std::scanf("%d", &n) != 1) return 1;
    std::vector<double> x(n), y(n);
    for (int i = 0; i < n; i++)
        if (std::scanf("%lf %lf", &x[i], &y[i]) != 2) return 1;
    double low = *std::min_element(x.begin(), x.end()), high = *std::max_element(x.begin(), x.end()), best = 1e18;
    for (long long step = 0; low + step * 1e-4 <= high + 1e-9; step++) {
        double total = 0;
        for (int i = 0; i < n; i++) total += std::hypot(low + step * 1e-4 - x[i], y[i]);
        best = std::min(best, total);
    }
    std::printf("%.9f\n", best);
}
