// Takes one thread after the other off the front, and moves the rest each time.
#include <iostream>
#include <map>
#include <string>

int main() {
    std::ios::sync_with_stdio(false);
    std::string log;
    std::cin >> log;
    std::map<char, long> count;
    for (; !log.empty(); log.erase(0, 1))
        if (log.front() != '.') count[log.front()]++;
    auto best = count.begin();
    for (auto colour = count.begin(); colour != count.end(); ++colour)
        if (colour->second < best->second) best = colour;
    std::cout << best->first << ' ' << best->second << '\n';
}
