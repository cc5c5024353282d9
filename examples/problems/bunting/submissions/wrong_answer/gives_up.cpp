// Forgets to round up: a colour may take both ends of the cord.
#include <algorithm>
#include <iostream>
#include <numeric>
#include <string>
#include <vector>

int main() {
    int k;
    std::cin >> k;
    std::vector<int> flags(k), order(k);
    for (int &count : flags) std::cin >> count;
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](int a, int b) { return flags[a] > flags[b]; });
    const int total = std::accumulate(flags.begin(), flags.end(), 0);
    if (flags[order[0]] > total / 2) {
        std::cout << "impossible\n";
        return 0;
    }
    std::string cord(total, '?');
    int place = 0;
    for (int colour : order) {
        for (int i = 0; i < flags[colour]; i++, place += 2) {
            if (place >= total) place = 1;
            cord[place] = 'a' + colour;
        }
    }
    std::cout << cord << '\n';
}
