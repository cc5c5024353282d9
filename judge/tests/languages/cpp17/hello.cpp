#include <iostream>
#include <string>
#include <string_view>

int main() {
    std::string name;
    std::cin >> name;
    constexpr std::string_view greeting = "Hello, ";
    std::cout << greeting << name << "!\n";
}
