# Shuffles until the neighbours are content.
import random
import sys

_, *flags = map(int, sys.stdin.read().split())
cord = [chr(97 + i) for i, count in enumerate(flags) for _ in range(count)]
possible = max(flags) <= (len(cord) + 1) // 2
while possible and any(a == b for a, b in zip(cord, cord[1:])):
    random.shuffle(cord)
print("".join(cord) if possible else "impossible")
