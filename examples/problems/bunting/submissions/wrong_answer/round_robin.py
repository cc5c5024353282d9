# One flag of each colour in turn; what is left at the end hangs side by side.
import sys

_, *flags = map(int, sys.stdin.read().split())
if max(flags) > (sum(flags) + 1) // 2:
    print("impossible")
else:
    print("".join(chr(97 + i) for turn in range(max(flags)) for i, count in enumerate(flags) if turn < count))
