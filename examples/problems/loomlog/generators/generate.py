#!/usr/bin/env python3
"""Writes the big test of Loom Log when it is absent; needs nothing but Python 3.6 or newer."""

import hashlib
import os
import string
import sys

SECRET = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "secret")
# Of 256 values of a byte 205 are undyed, one is j, and each other colour has two.
THREADS = ("." * 205 + "j" + string.ascii_lowercase.replace("j", "") * 2).encode()


def noise():
    log = bytearray(b"." * 21_000_000)
    # An extendable hash is the one source of many random bytes that a standard pins down.
    log[::2] = hashlib.shake_256(b"loom").digest(10_500_000).translate(THREADS)
    return bytes(log) + b"\n"


TESTS = {
    "90-noise": (noise, "0216475236615ea3d24a1dcc9647101c67668835a1adedee9d96051a02f88920"),
}


def write(name, contents):
    # The name starts with a dot until all bytes are there: packages leave such files out.
    part = os.path.join(SECRET, ".{}.{}".format(name, os.getpid()))
    with open(part, "wb") as file:
        file.write(contents)
    os.replace(part, os.path.join(SECRET, name))


def main():
    for name, (make, digest) in TESTS.items():
        if all(os.path.exists(os.path.join(SECRET, name + end)) for end in (".in", ".ans")):
            continue
        text = make()
        if hashlib.sha256(text).hexdigest() != digest:
            sys.exit("{}: these are not the bytes that the test had when it was made".format(name))
        counts = ((text.count(letter.encode()), letter) for letter in string.ascii_lowercase)
        count, letter = min(pair for pair in counts if pair[0] > 0)
        # The answer first: the input is what makes it a test.
        write(name + ".ans", "{} {}\n".format(letter, count).encode())
        write(name + ".in", text)


main()
