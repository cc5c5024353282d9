// Walks every way one by one; there are more of them than atoms in the house.
#include <iostream>
#include <set>

static std::set<int> squeaky;

static long long ways(int step) {
    if (step == 0) return 1;
    if (step < 0 || squeaky.count(step)) return 0;
    return (ways(step - 1) + ways(step - 2) + ways(step - 3)) % 1'000'000'007;
}

int main() {
    int n, m;
    std::cin >> n >> m;
    for (int step; m > 0 && std::cin >> step; m--) squeaky.insert(step);
    std::cout << ways(n) << '\n';
}
