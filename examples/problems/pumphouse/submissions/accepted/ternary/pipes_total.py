"""A submission of two files: this one knows lengths, __main__ searches."""

from math import hypot


def total_length(pump, farms):
    return sum(hypot(x - pump, y) for x, y in farms)
