// @EXPECTED_RESULTS@: MEMORY_LIMIT
// Keeps every beginning of every cord, each with room for the whole of it.
#include <algorithm>
#include <iostream>
#include <string>
#include <vector>

int main() {
    int k;
    size_t total = 0;
    std::cin >> k;
    std::vector<int> flags(k);
    for (int &count : flags) std::cin >> count, total += count;
    if (*std::max_element(flags.begin(), flags.end()) > (int(total) + 1) / 2) {
        std::cout << "impossible\n";
        return 0;
    }
    std::vector<std::vector<std::string>> cords(total + 1);
    cords[0].push_back(std::string(total, '.'));
    for (size_t length = 0; length < total; length++) {
        for (const std::string &cord : cords[length]) {
            for (int i = 0; i < k; i++) {
                const char colour = 'a' + i;
                if (length > 0 && cord[length - 1] == colour) continue;
                if (std::count(cord.begin(), cord.begin() + length, colour) == flags[i]) continue;
                cords[length + 1].push_back(cord);
                cords[length + 1].back()[length] = colour;
            }
        }
    }
    std::cout << cords[total].front() << '\n';
}
