// Searches all orders in alphabetical order and notices late that the last colour has no room.
#include <iostream>
#include <string>
#include <vector>

static std::vector<int> flags;
static std::string cord;
static size_t total = 0;

static bool hang() {
    if (cord.size() == total) return true;
    for (size_t i = 0; i < flags.size(); i++) {
        const char colour = 'a' + i;
        if (flags[i] == 0 || (!cord.empty() && cord.back() == colour)) continue;
        flags[i]--;
        cord.push_back(colour);
        if (hang()) return true;
        cord.pop_back();
        flags[i]++;
    }
    return false;
}

int main() {
    int k;
    std::cin >> k;
    flags.resize(k);
    for (int &count : flags) std::cin >> count, total += count;
    std::cout << (hang() ? cord : "impossible") << '\n';
}
