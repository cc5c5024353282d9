# Remembers what it was told, so that no height is asked for twice.
from functools import cache

n = int(input())


@cache
def height(i):
    print("?", i, flush=True)
    return int(input())


low, high = 1, n
while low < high:
    middle = (low + high) // 2
    if height(middle) < height(middle + 1):
        low = middle + 1
    else:
        high = middle
print("!", low)
