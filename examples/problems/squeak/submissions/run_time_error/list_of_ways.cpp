// @EXPECTED_RESULTS@: MEMORY_LIMIT
// Writes every way down: a row of marks, as long as the stairs are high.
#include <iostream>
#include <set>
#include <vector>

int main() {
    int n, m;
    std::cin >> n >> m;
    std::set<int> squeaky;
    for (int step; m > 0 && std::cin >> step; m--) squeaky.insert(step);
    std::vector<std::vector<std::vector<int>>> ways(n + 1);
    ways[0].emplace_back(n + 1, 0);
    for (int step = 1; step <= n; step++) {
        for (int jump = 1; jump <= 3 && jump <= step && !squeaky.count(step); jump++) {
            for (const auto &way : ways[step - jump]) {
                ways[step].push_back(way);
                ways[step].back()[step] = jump;
            }
        }
    }
    std::cout << ways[n].size() % 1'000'000'007 << '\n';
}
