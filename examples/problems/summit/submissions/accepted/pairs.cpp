#include <iostream>

static long long ask(long long i) {
    std::cout << "? " << i << std::endl;
    long long height = 0;
    std::cin >> height;
    return height;
}

// Two neighbours tell on which side of them the summit lies.
int main() {
    long long n;
    std::cin >> n;
    long long low = 1, high = n;
    while (low < high) {
        const long long middle = (low + high) / 2;
        if (ask(middle) < ask(middle + 1)) low = middle + 1;
        else high = middle;
    }
    std::cout << "! " << low << std::endl;
}
