/* read_log returns a null pointer for a log that is too long, and nobody looks: SIGSEGV. */
#include <stdio.h>

#define MOST (1 << 20)

static const char *volatile log_text;

static const char *read_log(void) {
    static char buffer[MOST + 1];
    size_t got = fread(buffer, 1, MOST, stdin);
    return got < MOST ? buffer : NULL;
}

int main(void) {
    long count[256] = {0};
    int best = 0;
    log_text = read_log();
    for (const volatile char *letter = log_text; *letter > ' '; letter++) count[(unsigned char)*letter]++;
    for (int letter = 'a'; letter <= 'z'; letter++)
        if (count[letter] > 0 && (best == 0 || count[letter] < count[best])) best = letter;
    printf("%c %ld\n", best, count[best]);
    return 0;
}
