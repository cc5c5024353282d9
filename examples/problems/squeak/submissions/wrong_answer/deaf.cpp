// Never reads which steps squeak.
#include <iostream>

int main() {
    int n;
    std::cin >> n;
    long long a = 0, b = 0, c = 1;
    while (n-- > 0) {
        long long next = (a + b + c) % 1'000'000'007;
        a = b, b = c, c = next;
    }
    std::cout << c << '\n';
}
