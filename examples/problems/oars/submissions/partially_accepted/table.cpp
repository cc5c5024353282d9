// @EXPECTED_SCORE@: 50
// @EXPECTED_RESULTS@: MEMORY_LIMIT
// Keeps a table of all stretches: a long log has too many.
#include <iostream>
#include <string>
#include <vector>

int main() {
    std::string log;
    std::cin >> log;
    std::vector<std::vector<int>> course;
    for (size_t begin = 0; begin < log.size(); begin++) course.emplace_back(log.size() + 1, 0);
    long long found = 0;
    for (size_t begin = 0; begin < log.size(); begin++) {
        for (size_t end = begin; end < log.size(); end++) {
            course[begin][end + 1] = course[begin][end] + (log[end] == 'L' ? 1 : -1);
            if (course[begin][end + 1] == 0) found++;
        }
    }
    std::cout << found << '\n';
}
