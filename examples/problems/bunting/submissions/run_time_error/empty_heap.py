# Takes a colour from an empty heap when there is no order: an uncaught exception.
import heapq
import sys

_, *flags = map(int, sys.stdin.read().split())
heap = [(-count, chr(97 + i)) for i, count in enumerate(flags)]
heapq.heapify(heap)
cord = []
last = (0, "")
for _ in range(sum(flags)):
    count, colour = heapq.heappop(heap)
    cord.append(colour)
    if last[0] < 0:
        heapq.heappush(heap, last)
    last = (count + 1, colour)
print("".join(cord))
