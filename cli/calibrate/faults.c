// Page faults: 8 MiB taken from the kernel, touched and given back, some times.
#include <stdio.h>
#include <sys/mman.h>

enum { SIZE = 8 << 20, PAGE = 4096 };

int main(void) {
  unsigned sum = 0;
  for (int round = 0; round < 15; round++) {
    char *block = mmap(0, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) return 1;
    for (int i = 0; i < SIZE; i += PAGE) block[i] = 1;
    sum += block[SIZE / 2];
    munmap(block, SIZE);
  }
  printf("%u\n", sum);
}
