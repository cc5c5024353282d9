// @EXPECTED_RESULTS@: MEMORY_LIMIT
// Lists every tenth of a millimetre of the canal before it looks at one.
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
    std::vector<double> places;
    for (long long step = 0; low + step * 1e-4 <= high + 1e-9; step++) places.push_back(low + step * 1e-4);
    for (double place : places) {
        double total = 0;
        for (int i = 0; i < n; i++) total += std::hypot(place - x[i], y[i]);
        best = std::min(best, total);
    }
    std::printf("%.9f\n", best);
}
