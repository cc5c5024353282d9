#include "course.h"

#include <unordered_map>

// A stretch is straight when the course before it is the course after it.
long long straight_stretches(const std::string &log) {
    std::unordered_map<int, long long> seen{{0, 1}};
    long long found = 0;
    int course = 0;
    for (char stroke : log) {
        course += stroke == 'L' ? 1 : -1;
        found += seen[course]++;
    }
    return found;
}
