# Takes one thread after the other off the front, and copies the rest each time.
import sys

log = sys.stdin.buffer.read().strip()
counts = {}
while log:
    if log[:1] != b".":
        counts[log[0]] = counts.get(log[0], 0) + 1
    log = log[1:]
count, letter = min((count, letter) for letter, count in counts.items())
print(chr(letter), count)
