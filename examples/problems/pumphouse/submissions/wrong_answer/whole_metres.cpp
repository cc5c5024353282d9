// Looks at whole numbers only.
#include <cmath>
#include <cstdio>
#include <vector>

static std::vector<double> x, y;

static double total(long pump) {
    double sum = 0;
    for (size_t i = 0; i < x.size(); i++) sum += std::hypot(x[i] - pump, y[i]);
    return sum;
}

int main() {
    int n;
    if (std::scanf("%d", &n) != 1) return 1;
    for (double a, b; std::scanf("%lf %lf", &a, &b) == 2;) x.push_back(a), y.push_back(b);
    long low = -1000000, high = 1000000;
    while (low < high) {
        long middle = low + (high - low) / 2;
        if (total(middle) <= total(middle + 1)) high = middle;
        else low = middle + 1;
    }
    std::printf("%.9f\n", total(low));
}
