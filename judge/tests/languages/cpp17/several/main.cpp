#include "lib/greet.hpp"
#include <iostream>

int main() {
    std::string name;
    std::cin >> name;
    std::cout << greet(name) << '\n';
}
