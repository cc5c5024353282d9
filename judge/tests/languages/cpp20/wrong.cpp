#include <iostream>

int main() {
    std::cout << "Goodbye!\n";
}
