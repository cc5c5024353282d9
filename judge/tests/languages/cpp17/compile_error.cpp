#include <concepts>

// Of C++20.
template <std::integral T>
T twice(T n) {
    return n + n;
}

int main() {
    return twice(0);
}
