// Asks for ever and listens to nothing.
#include <cstdio>

int main() {
    for (;;) std::puts("? 1");
}
