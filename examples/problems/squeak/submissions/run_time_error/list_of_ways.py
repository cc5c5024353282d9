# @EXPECTED_RESULTS@: MEMORY_LIMIT
# Writes every way down: a row of marks, as long as the stairs are high.
import sys

n, m, *steps = map(int, sys.stdin.read().split())
squeaky = set(steps)
ways = [[[0] * (n + 1)]]
for step in range(1, n + 1):
    ways.append([])
    for low in range(max(0, step - 3), step):
        for way in ways[low] if step not in squeaky else []:
            way = way.copy()
            way[step] = step - low
            ways[step].append(way)
print(len(ways[n]) % 1_000_000_007)
