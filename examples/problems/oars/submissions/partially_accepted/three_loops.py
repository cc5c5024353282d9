# @EXPECTED_SCORE@: 20
# Counts the strokes of each stretch anew: the time is enough for short logs.
log = input()
found = 0
for begin in range(len(log)):
    for end in range(begin + 1, len(log) + 1):
        course = 0
        for i in range(begin, end):
            course += 1 if log[i] == "L" else -1
        found += course == 0
print(found)
