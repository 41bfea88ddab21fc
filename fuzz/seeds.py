#!/usr/bin/env python3
"""Writes the seeds of the fuzz target `rsa`; `cases/rsa.rs` tells how they are read."""

import os

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seeds", "rsa")
BYTES = {2048: 256, 3072: 384, 4096: 512}
# The keys that sign: the largest, the smallest and another one of each size. Behind them come nine of each size with extreme moduli.
FIRST = {2048: 0, 3072: 3, 4096: 6}
EXTREME = 9
# DigestInfo and hash of SHA-256, SHA-384 and SHA-512, in bytes.
INFO = [19 + 32, 19 + 48, 19 + 64]
AS_IT_IS, NUMBER, ABOVE, BELOW, BLOCK, SIGNATURE = range(6)


def case(how, hash_number, message=b"jwtgate", rest=b""):
    return bytes([how, hash_number, len(message)]) + len(rest).to_bytes(2, "little") + message + rest


def write(name, key, *cases):
    with open(os.path.join(FOLDER, name), "wb") as out:
        out.write(bytes([key]) + b"".join(cases))


def bits(length, place, mask):
    """Turns bits around in the byte at `place` of so many."""
    return bytes([mask]) + bytes(length - place - 1)


for number, (size, length) in enumerate(BYTES.items()):
    key, separator = FIRST[size], length - INFO[number] - 1
    write(f"{size}-good-each-hash", key, *[case(SIGNATURE, each) for each in range(3)])
    write(f"{size}-numbers", key + 1, case(NUMBER, number), case(NUMBER, number, rest=b"\1"), case(BELOW, number, rest=b"\1"), case(ABOVE, number),
          case(ABOVE, number, rest=b"\1"), case(NUMBER, number, rest=b"\xff" * length), case(NUMBER, number, rest=b"\x80" + bytes(length - 1)))
    write(f"{size}-lengths", key + 2, case(AS_IT_IS, number), *[case(AS_IT_IS, number, rest=b"\x55" * (length + more)) for more in (-1, 1)],
          case(AS_IT_IS, number, rest=bytes(length)), case(AS_IT_IS, number, rest=b"\x55" * length))
    faults = [(0, 1), (1, 3), (1, 1), (2, 1), (separator, 0xff), (separator + 4, 1)]
    write(f"{size}-blocks", key + 2, *[case(BLOCK, number, rest=bits(length, *fault)) for fault in faults], case(BLOCK, number, rest=b"\1"), case(BLOCK, number))
write("2048-company-of-eight", 2, *[case(BLOCK if lane == 3 else SIGNATURE, lane % 3, bytes([lane]), b"\1" if lane == 3 else b"") for lane in range(8)])
write("2048-company-of-five", 0, *[case(SIGNATURE, 0, b"same")] * 4, case(SIGNATURE, 0, b"same", b"\x10"))
write("2048-bits-of-signatures", 1, *[case(SIGNATURE, 0, rest=bits(256, *fault)) for fault in [(0, 1), (255, 1), (128, 0x80)]], case(SIGNATURE, 0))
write("cut-off", 3, b"\5\0\xff\xff\xff")
write("empty", 8)
for number in range(27):
    length = list(BYTES.values())[number // 9]
    write(f"extreme-{number:02}-numbers", EXTREME + number, case(NUMBER, 0, rest=b"\1"), case(BELOW, 0, rest=b"\1"), case(ABOVE, 0),
          case(NUMBER, 1, rest=b"\x7f" + b"\xff" * (length - 1)), case(BELOW, 2, rest=b"\2"), case(NUMBER, 0))
