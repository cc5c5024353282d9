// Looks for the log in a file that is not there: an exception that nobody catches, SIGABRT.
#include <fstream>
#include <iostream>
#include <string>

int main() {
    std::ifstream file;
    file.exceptions(std::ios::failbit);
    file.open("log.txt");
    std::string log;
    file >> log;
    std::cout << log.size() << '\n';
}
