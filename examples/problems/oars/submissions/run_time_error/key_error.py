# Takes for granted that each course was seen before: an uncaught KeyError at the first stroke.
seen = {0: 1}
course = 0
found = 0
for stroke in input():
    course += 1 if stroke == "L" else -1
    found += seen[course]
    seen[course] += 1
print(found)
