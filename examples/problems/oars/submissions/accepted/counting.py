from collections import Counter
from itertools import accumulate

courses = accumulate((1 if stroke == "L" else -1 for stroke in input()), initial=0)
print(sum(times * (times - 1) // 2 for times in Counter(courses).values()))
