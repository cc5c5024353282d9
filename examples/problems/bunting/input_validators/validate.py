#!/usr/bin/env python3
"""Exits with 42 when standard input is a valid test of Bunting."""

import re
import sys


def check(condition, message):
    if not condition:
        sys.exit(message)


NUMBER = "[1-9][0-9]*"
text = sys.stdin.buffer.read().decode("ascii")
match = re.fullmatch(f"({NUMBER})\n({NUMBER}(?: {NUMBER})*)\n", text)
check(match, "the input is not a line with one number and a line with numbers")
k = int(match[1])
flags = [int(word) for word in match[2].split()]
check(k <= 26, f"k = {k} is out of range")
check(len(flags) == k, f"{len(flags)} colours instead of {k}")
check(max(flags) <= 2000, "too many flags of a colour")
sys.exit(42)
