# Tries every tenth of a millimetre between the first and the last farm.
import sys
from math import hypot

_, *numbers = map(int, sys.stdin.read().split())
farms = list(zip(numbers[::2], numbers[1::2]))
low, high = min(farms)[0], max(farms)[0]
best = float("inf")
for step in range((high - low) * 10_000 + 1):
    pump = low + step / 10_000
    best = min(best, sum(hypot(x - pump, y) for x, y in farms))
print(best)
