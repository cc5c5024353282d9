// @EXPECTED_RESULTS@: COMPILER_ERROR
#include <iostream>

int main() {
    int n
    std::cin >> n;
    std::cout << total_length(n) << '\n';
}
