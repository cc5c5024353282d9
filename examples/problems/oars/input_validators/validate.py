#!/usr/bin/env python3
"""Exits with 42 when standard input is a valid test of Two Oars. The argument is the most strokes of the group."""

import re
import sys

most = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
text = sys.stdin.buffer.read()
if not re.fullmatch(b"[LR]+\n", text):
    sys.exit("the input is not one line of L and R")
if len(text) - 1 > most:
    sys.exit(f"{len(text) - 1} strokes are more than {most}")
sys.exit(42)
