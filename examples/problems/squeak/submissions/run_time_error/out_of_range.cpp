// Has room for a hundred steps; the vector throws, nobody catches: SIGABRT.
#include <iostream>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<long long> ways(101, -1);
    for (int step; m > 0 && std::cin >> step; m--) ways.at(step) = 0;
    long long a = 0, b = 0, c = 1;
    for (int step = 1; step <= n; step++) {
        long long next = ways.at(step) == 0 ? 0 : (a + b + c) % 1'000'000'007;
        a = b, b = c, c = next;
    }
    std::cout << c << '\n';
}
