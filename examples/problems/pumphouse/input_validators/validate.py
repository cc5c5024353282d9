#!/usr/bin/env python3
"""Exits with 42 when standard input is a valid test of Pump House."""

import re
import sys


def check(condition, message):
    if not condition:
        sys.exit(message)


lines = sys.stdin.buffer.read().decode("ascii").split("\n")
check(lines.pop() == "", "the last line does not end")
check(lines and re.fullmatch("[1-9][0-9]*", lines[0]), "the first line is not a positive number")
n = int(lines[0])
check(n <= 2000, f"n = {n} is out of range")
check(len(lines) == n + 1, f"{len(lines) - 1} farms instead of {n}")
for i, line in enumerate(lines[1:], 2):
    match = re.fullmatch("(0|-?[1-9][0-9]*) (0|[1-9][0-9]*)", line)
    check(match, f"line {i} is not two integers")
    check(abs(int(match[1])) <= 10**6 and int(match[2]) <= 10**6, f"line {i} is out of range")
sys.exit(42)
