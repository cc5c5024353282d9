#include <iostream>
#include <vector>

// Pushes the ways of each step up to the three above it.
int main() {
    int n, m;
    std::cin >> n >> m;
    std::vector<bool> squeaky(n + 4);
    for (int step; m > 0 && std::cin >> step; m--) squeaky[step] = true;
    std::vector<long long> ways(n + 4);
    ways[0] = 1;
    for (int i = 0; i < n; i++) {
        if (squeaky[i]) continue;
        for (int jump = 1; jump <= 3; jump++) ways[i + jump] = (ways[i + jump] + ways[i]) % 1'000'000'007;
    }
    std::cout << ways[n] << '\n';
}
