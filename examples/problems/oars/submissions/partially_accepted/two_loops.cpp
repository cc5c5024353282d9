// @EXPECTED_SCORE@: 50
// Goes on from each beginning to the end of the log: too slow for long ones.
#include <iostream>
#include <string>

int main() {
    std::string log;
    std::cin >> log;
    long long found = 0;
    for (size_t begin = 0; begin < log.size(); begin++) {
        int course = 0;
        for (size_t end = begin; end < log.size(); end++) {
            course += log.at(end) == 'L' ? 1 : -1;
            if (course == 0) found++;
        }
    }
    std::cout << found << '\n';
}
