# @EXPECTED_RESULTS@: MEMORY_LIMIT
# Makes a list of the threads: eight bytes for each instead of one.
import sys
from collections import Counter

threads = list(sys.stdin.buffer.read().strip())
count, letter = min((count, letter) for letter, count in Counter(threads).items() if letter != ord("."))
print(chr(letter), count)
