#include <algorithm>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

// The most frequent colour first, on every second place; then round to the places between.
int main() {
    int k;
    std::cin >> k;
    std::vector<int> flags(k), order(k);
    for (int &count : flags) std::cin >> count;
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int a, int b) { return flags[a] > flags[b]; });
    const int total = std::accumulate(flags.begin(), flags.end(), 0);
    if (flags[order[0]] > (total + 1) / 2) {
        std::cout << "impossible\n";
        return 0;
    }
    std::string cord(total, '?');
    int place = 0;
    for (int colour : order) {
        for (int i = 0; i < flags[colour]; i++) {
            if (place >= total) place = 1;
            cord[place] = 'a' + colour;
            place += 2;
        }
    }
    std::cout << cord << '\n';
}
