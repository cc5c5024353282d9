// Walks up from the first milestone: too many questions on a long way.
#include <iostream>

int main() {
    long long n, last = 0, height = 0, i = 1;
    std::cin >> n;
    for (; i <= n; i++) {
        std::cout << "? " << i << std::endl;
        if (!(std::cin >> height) || height < last) break;
        last = height;
    }
    std::cout << "! " << i - 1 << std::endl;
}
