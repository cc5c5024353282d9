#!/usr/bin/env python3
"""Exits with 42 when standard input is a valid test of Summit in the Fog.

A test is one line: milestones, summit, slope, seed. The interactor makes the heights from them.
"""

import re
import sys


def check(condition, message):
    if not condition:
        sys.exit(message)


text = sys.stdin.buffer.read().decode("ascii")
match = re.fullmatch(" ".join(["([1-9][0-9]*)"] * 4) + "\n", text)
check(match, "the input is not a line with four positive numbers")
n, summit, slope, seed = map(int, match.groups())
check(n <= 10**6, f"n = {n} is out of range")
check(summit <= n, f"summit = {summit} is out of range")
# The lowest milestone lies at 10^9 - slope * n or higher.
check(slope <= 900, f"slope = {slope} is out of range")
check(seed < 2**63, f"seed = {seed} is out of range")
sys.exit(42)
