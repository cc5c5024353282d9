// Registers only: what a run shares with nobody but the core itself.
#include <stdint.h>
#include <stdio.h>

int main(void) {
  uint64_t x = 88172645463325252u;
  for (int i = 0; i < 40000000; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  printf("%llu\n", (unsigned long long)x);
}
