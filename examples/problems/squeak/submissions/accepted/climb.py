import sys

n, m, *steps = map(int, sys.stdin.read().split())
squeaky = set(steps)
a, b, c = 0, 0, 1
for step in range(1, n + 1):
    a, b, c = b, c, 0 if step in squeaky else (a + b + c) % 1_000_000_007
print(c)
