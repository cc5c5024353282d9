#!/usr/bin/env python3
"""Output validator of Bunting: validate.py INPUT ANSWER FEEDBACK_DIR < OUTPUT.

Exits with 42 when the output is right and with 43 when it is wrong. Any other code is a fault of the
jury: it is also the way out when a submission finds an order where the answer says that none exists.
"""

import os
import sys

ACCEPT, REJECT, FAULT = 42, 43, 44


def leave(code, message):
    with open(os.path.join(sys.argv[3], "judgemessage.txt"), "a", encoding="utf-8") as feedback:
        print(message, file=feedback)
    sys.exit(code)


def main():
    with open(sys.argv[1], encoding="ascii") as file:
        k, *flags = map(int, file.read().split())
    with open(sys.argv[2], encoding="ascii") as file:
        possible = file.read().strip() != "impossible"

    words = sys.stdin.buffer.read().split()
    if len(words) != 1:
        leave(REJECT, f"{len(words)} words instead of one")
    if words[0] == b"impossible":
        if possible:
            leave(REJECT, "says impossible, but there is an order")
        leave(ACCEPT, "impossible")

    cord = words[0]
    for i in range(k):
        found = cord.count(bytes([ord("a") + i]))
        if found != flags[i]:
            leave(REJECT, f"{found} flags of colour {chr(ord('a') + i)} instead of {flags[i]}")
    if len(cord) != sum(flags):
        leave(REJECT, f"{len(cord)} flags instead of {sum(flags)}")
    for i in range(1, len(cord)):
        if cord[i] == cord[i - 1]:
            leave(REJECT, f"flags {i} and {i + 1} are both {chr(cord[i])}")
    if not possible:
        leave(FAULT, "the submission found an order where the answer says that there is none")
    leave(ACCEPT, f"{len(cord)} flags")


main()
