#!/usr/bin/env python3
"""Exits with 42 when standard input is a valid test of Loom Log."""

import sys

text = sys.stdin.buffer.read()
if not text.endswith(b"\n"):
    sys.exit("the line does not end")
if not 1 <= len(text) - 1 <= 25_000_000:
    sys.exit(f"n = {len(text) - 1} is out of range")
undyed = text.translate(None, b"abcdefghijklmnopqrstuvwxyz")
if undyed.lstrip(b".") != b"\n":
    sys.exit("the input is not one line of lower-case letters and dots")
if len(undyed) == len(text):
    sys.exit("no thread is dyed")
sys.exit(42)
