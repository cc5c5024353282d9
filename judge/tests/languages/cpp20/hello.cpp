#include <concepts>
#include <iostream>
#include <span>
#include <string>

void print(std::span<const std::string> words) {
    for (const auto &word : words) std::cout << word;
}

int main() {
    std::string name;
    std::cin >> name;
    const std::string words[] = {"Hello, ", name, "!\n"};
    print(words);
}
