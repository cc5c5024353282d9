import string
import sys

counts = dict.fromkeys(string.ascii_lowercase, 0)
# By chunks that fit into the cache: the log is counted 26 times, but fetched from memory once.
while chunk := sys.stdin.buffer.read(1 << 18):
    for letter in counts:
        counts[letter] += chunk.count(letter.encode())
count, letter = min((count, letter) for letter, count in counts.items() if count > 0)
print(letter, count)
