# Always hangs the colour of which most are left, except the one just hung.
import heapq
import sys

_, *flags = map(int, sys.stdin.read().split())
heap = [(-count, chr(ord("a") + i)) for i, count in enumerate(flags)]
heapq.heapify(heap)
cord = []
held = None
while heap:
    count, colour = heapq.heappop(heap)
    cord.append(colour)
    if held:
        heapq.heappush(heap, held)
    held = (count + 1, colour) if count + 1 < 0 else None
print("impossible" if held else "".join(cord))
