# Leaves with exit code 1 after two questions; the interactor sees only the end of the output.
import sys

low, high = 1, int(input())
for questions in range(2, 50, 2):
    if low == high:
        break
    if questions > 3:
        sys.exit(1)
    middle = (low + high) // 2
    print(f"? {middle}\n? {middle + 1}", flush=True)
    if int(input()) < int(input()):
        low = middle + 1
    else:
        high = middle
print("!", low)
