import sys

from pipes_total import total_length

_, *numbers = map(int, sys.stdin.read().split())
farms = list(zip(numbers[::2], numbers[1::2]))
low, high = float(min(farms)[0]), float(max(farms)[0])
for _ in range(100):
    third = (high - low) / 3
    left, right = low + third, high - third
    if total_length(left, farms) < total_length(right, farms):
        high = right
    else:
        low = left
print(total_length((low + high) / 2, farms))
