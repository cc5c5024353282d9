# Takes the last of several colours that occur equally often.
import string
import sys

log = sys.stdin.buffer.read()
counts = [(log.count(letter.encode()), letter) for letter in string.ascii_lowercase]
least = min(count for count, _ in counts if count > 0)
print(max(letter for count, letter in counts if count == least), least)
