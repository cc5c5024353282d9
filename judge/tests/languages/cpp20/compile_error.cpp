#include <concepts>

template <std::integral T>
T twice(T n) {
    return n + n;
}

int main() {
    return twice("two");
}
