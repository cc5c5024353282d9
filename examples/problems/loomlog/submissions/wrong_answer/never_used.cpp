// A colour that does not occur at all is used least, it thinks.
#include <iostream>
#include <string>

int main() {
    std::ios::sync_with_stdio(false);
    std::string log;
    std::cin >> log;
    long count[26] = {};
    for (char thread : log)
        if (thread != '.') count[thread - 'a']++;
    int best = 0;
    for (int i = 1; i < 26; i++)
        if (count[i] < count[best]) best = i;
    std::cout << char('a' + best) << ' ' << count[best] << '\n';
}
