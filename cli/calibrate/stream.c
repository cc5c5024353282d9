// Bandwidth to memory: 64 MiB written, in order, some times.
#include <stdio.h>
#include <string.h>

enum { SIZE = 64 << 20 };
static char block[SIZE];

int main(void) {
  unsigned sum = 0;
  for (int round = 1; round <= 10; round++) {
    memset(block, round, SIZE);
    // Without a reader the compiler leaves the writing out.
    __asm__ volatile("" : : "r"(block) : "memory");
    sum += block[round * 4096];
  }
  printf("%u\n", sum);
}
