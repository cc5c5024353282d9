# Walks every way one by one, depth first with a stack of its own.
import sys

n, m, *steps = map(int, sys.stdin.read().split())
squeaky = set(steps)
found = 0
stack = [0]
while stack:
    step = stack.pop()
    if step == n:
        found += 1
    elif step < n and step not in squeaky:
        stack += (step + 1, step + 2, step + 3)
print(found % 1_000_000_007)
