// A walk in random order through as many KiB as the first argument says, in as many steps as the
// second. One cycle through all cache lines (Sattolo's shuffle), so that none is met twice before
// all are, and no prefetcher knows the next.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { LINE = 64, MOST = 64 << 20 };
static struct {
  uint32_t next;
  char rest[LINE - sizeof(uint32_t)];
} line[MOST / LINE];

int main(int argc, char **argv) {
  if (argc != 3) return 1;
  uint32_t count = (uint32_t)(strtoul(argv[1], 0, 10) * 1024 / LINE), at = 0;
  uint32_t steps = (uint32_t)strtoul(argv[2], 0, 10);
  if (count < 2 || count > MOST / LINE) return 1;
  uint64_t random = 88172645463325252u;
  for (uint32_t i = 0; i < count; i++) line[i].next = i;
  for (uint32_t i = count - 1; i > 0; i--) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    uint32_t j = random % i, held = line[i].next;
    line[i].next = line[j].next;
    line[j].next = held;
  }
  for (uint32_t i = 0; i < steps; i++) at = line[at].next;
  printf("%u\n", at);
}
