# Recursion as deep as the stairs are high: RecursionError at a thousand steps.
import sys

n, m, *steps = map(int, sys.stdin.read().split())
squeaky = set(steps)
known = {0: 1}


def ways(step):
    if step < 0 or step in squeaky:
        return 0
    if step not in known:
        known[step] = (ways(step - 1) + ways(step - 2) + ways(step - 3)) % 1_000_000_007
    return known[step]


print(ways(n))
