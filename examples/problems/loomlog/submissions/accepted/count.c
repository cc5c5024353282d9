#include <stdio.h>

int main(void) {
    static unsigned char buffer[1 << 16];
    long count[256] = {0};
    size_t got;
    while ((got = fread(buffer, 1, sizeof buffer, stdin)) > 0)
        for (size_t i = 0; i < got; i++) count[buffer[i]]++;
    int best = 0;
    for (int letter = 'a'; letter <= 'z'; letter++)
        if (count[letter] > 0 && (best == 0 || count[letter] < count[best])) best = letter;
    printf("%c %ld\n", best, count[best]);
    return 0;
}
