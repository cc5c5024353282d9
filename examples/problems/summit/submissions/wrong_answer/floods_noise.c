/* One line without an end. */
#include <stdio.h>

int main(void) {
    for (;;) putchar('?');
}
