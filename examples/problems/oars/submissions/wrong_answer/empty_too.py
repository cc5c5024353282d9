# Counts the empty stretch as well.
seen = {0: 1}
course = 0
found = 1
for stroke in input():
    course += 1 if stroke == "L" else -1
    found += seen.get(course, 0)
    seen[course] = seen.get(course, 0) + 1
print(found)
