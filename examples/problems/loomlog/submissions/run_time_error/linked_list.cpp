// @EXPECTED_RESULTS@: MEMORY_LIMIT
// A node of a list for each thread.
#include <iostream>
#include <list>
#include <map>

int main() {
    std::ios::sync_with_stdio(false);
    std::list<char> log;
    for (char thread; std::cin.get(thread) && thread != '\n';) log.push_back(thread);
    std::map<char, long> count;
    for (char thread : log)
        if (thread != '.') count[thread]++;
    auto best = count.begin();
    for (auto colour = count.begin(); colour != count.end(); ++colour)
        if (colour->second < best->second) best = colour;
    std::cout << best->first << ' ' << best->second << '\n';
}
