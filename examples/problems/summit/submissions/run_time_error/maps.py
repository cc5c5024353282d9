# @EXPECTED_RESULTS@: MEMORY_LIMIT
# Draws a map of the whole path first, a hundred rows for each milestone.
low, high = 1, int(input())
rows = [[0] * high for _ in range(100)]
while low < high:
    middle = (low + high) // 2
    print(f"? {middle}\n? {middle + 1}", flush=True)
    if int(input()) < int(input()):
        low = middle + 1
    else:
        high = middle
rows[0][low - 1] = 1
print("!", low)
