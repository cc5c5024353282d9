#include <array>
#include <iostream>
#include <string>

int main() {
    std::ios::sync_with_stdio(false);
    std::string log;
    std::cin >> log;
    std::array<long, 128> count{};
    for (unsigned char thread : log) count[thread]++;
    unsigned char best = 0;
    for (unsigned char letter = 'a'; letter <= 'z'; letter++)
        if (count[letter] > 0 && (best == 0 || count[letter] < count[best])) best = letter;
    std::cout << best << ' ' << count[best] << '\n';
}
