#!/usr/bin/env python3
"""Exits with 42 when standard input is a valid test of Squeaky Stairs."""

import re
import sys


def check(condition, message):
    if not condition:
        sys.exit(message)


NUMBER = "(?:0|[1-9][0-9]*)"
text = sys.stdin.buffer.read().decode("ascii")
match = re.fullmatch(f"({NUMBER}) ({NUMBER})\n((?:{NUMBER}(?: {NUMBER})*)?)\n", text)
check(match, "the input is not two lines of numbers with single spaces")
n, m = int(match[1]), int(match[2])
check(1 <= n <= 1000, f"n = {n} is out of range")
check(0 <= m < n, f"m = {m} is out of range")
steps = [int(word) for word in match[3].split()]
check(len(steps) == m, f"{len(steps)} steps instead of {m}")
check(all(1 <= step < n for step in steps), "a step is out of range")
check(all(a < b for a, b in zip(steps, steps[1:])), "the steps do not increase")
sys.exit(42)
