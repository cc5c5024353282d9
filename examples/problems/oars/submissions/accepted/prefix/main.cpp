#include <iostream>
#include <string>

#include "course.h"

// A submission of three files.
int main() {
    std::string log;
    std::cin >> log;
    std::cout << straight_stretches(log) << '\n';
}
