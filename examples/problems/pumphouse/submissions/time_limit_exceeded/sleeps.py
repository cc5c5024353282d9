# @EXPECTED_RESULTS@: IDLENESS_LIMIT
# Waits for the canal to move when the only farm lies on it: the clock runs out, not the CPU time.
import sys
import time
from math import hypot

n, *numbers = map(int, sys.stdin.read().split())
farms = list(zip(numbers[::2], numbers[1::2]))
while n == 1 and farms[0][1] == 0:
    time.sleep(3600)
low, high = -1e6, 1e6
for _ in range(120):
    third = (high - low) / 3
    left, right = low + third, high - third
    if sum(hypot(x - left, y) for x, y in farms) < sum(hypot(x - right, y) for x, y in farms):
        high = right
    else:
        low = left
print(sum(hypot(x - low, y) for x, y in farms))
