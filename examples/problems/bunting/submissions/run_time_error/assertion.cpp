// Believes that there is always an order: SIGABRT when there is none.
#undef NDEBUG
#include <cassert>
#include <iostream>
#include <string>
#include <vector>

int main() {
    int k, total = 0;
    std::cin >> k;
    std::vector<int> flags(k);
    for (int &count : flags) std::cin >> count, total += count;
    std::string cord;
    int last = -1;
    while (total-- > 0) {
        int best = -1;
        for (int i = 0; i < k; i++)
            if (i != last && flags[i] > 0 && (best < 0 || flags[i] > flags[best])) best = i;
        assert(best >= 0);
        flags[best]--;
        cord.push_back('a' + best);
        last = best;
    }
    std::cout << cord << '\n';
}
