# @EXPECTED_RESULTS@: IDLENESS_LIMIT
# On a path of one milestone it listens for an answer to a question that it never asked: both sides wait.
n = int(input())
low, high = 1, n
height = int(input()) if n == 1 else 0
while low < high:
    middle = (low + high) // 2
    print("?", middle, flush=True)
    height = int(input())
    print("?", middle + 1, flush=True)
    if height < int(input()):
        low = middle + 1
    else:
        high = middle
print("!", low)
