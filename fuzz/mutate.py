"""Damage done to bytes. Pure: the same dice give the same damage."""

import random
import struct
from collections.abc import Callable
from types import MappingProxyType

EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
"""Values at which sizes, signs and offsets go wrong."""

DIGITS = b"0123456789"

HEAD_BYTES = 1024
"""Half of all places are chosen in here: headers decide more than pixels do."""


def mutate(data: bytes, other: bytes, dice: random.Random) -> tuple[bytes, str]:
    """Return damaged bytes and what was done to them, in words.

    Parameters
    ----------
    data
        The content of a file.
    other
        The content of another file, from which parts may be taken.
    dice
        Decides everything.
    """
    done = []
    for _ in range(dice.choice((1, 1, 1, 2, 4))):
        (name,) = dice.choices(list(DAMAGES), [often for often, _ in DAMAGES.values()])
        data = DAMAGES[name][1](data, other, dice)
        done.append(name)
    return data, ", ".join(done)


def _place(data: bytes, dice: random.Random) -> int:
    """Return where to do damage; files are damaged at their head, at their end, and anywhere."""
    kind = dice.random()
    if kind < 0.5:
        return dice.randrange(min(len(data), HEAD_BYTES) or 1)
    if kind < 0.65:
        return max(0, len(data) - 1 - dice.randrange(min(len(data), HEAD_BYTES) or 1))
    return dice.randrange(len(data) or 1)


def _span(data: bytes, dice: random.Random) -> tuple[int, int]:
    """Return the start and end of a chunk, short ones more often than long ones."""
    start = _place(data, dice)
    return start, min(len(data), start + int(2 ** dice.uniform(0, 12)))


def _flip(data: bytes, other: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8)) if data else 0):
        changed[_place(data, dice)] ^= 1 << dice.randrange(8)
    return bytes(changed)


def _truncate(data: bytes, other: bytes, dice: random.Random) -> bytes:
    return data[: _place(data, dice)]


def _splice(data: bytes, other: bytes, dice: random.Random) -> bytes:
    return data[: _place(data, dice)] + other[_place(other, dice) :]


def _integer(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Put an edge value, or a neighbour of the value that is there, in place of 16 or 32 bits."""
    width, code = dice.choice(((2, "H"), (4, "I")))
    if len(data) < width:
        return data
    place = min(_place(data, dice), len(data) - width)
    place -= place % width if dice.random() < 0.8 else 0  # most fields are aligned
    order = dice.choice("<>")
    (found,) = struct.unpack_from(order + code, data, place)
    value = dice.choice((*EDGES, found + 1, found - 1, found * 2)) % (1 << 8 * width)
    return data[:place] + struct.pack(order + code, value) + data[place + width :]


def _digits(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Put another number of as many digits in place of one written in digits, as in XML (also UTF-16) and JSON."""
    start = _place(data, dice)
    near = data[start : start + 4096]
    first = next((i for i, byte in enumerate(near) if byte in DIGITS), None)
    if first is None:
        return _integer(data, other, dice)
    step = 2 if near[first + 1 : first + 2] == b"\0" else 1
    changed, kind = bytearray(near), dice.choice(("0", "9", "-", "any"))
    for place in range(first, len(near), step):
        if near[place] not in DIGITS:
            break
        changed[place] = dice.choice(DIGITS) if kind == "any" else ord("9" if kind == "-" else kind)
    if kind == "-":
        changed[first] = ord("-")
    return data[:start] + bytes(changed) + data[start + len(near) :]


def _overwrite(data: bytes, other: bytes, dice: random.Random) -> bytes:
    """Put a chunk of another file over one of the same length: what comes behind stays where it was."""
    start, end = _span(data, dice)
    place = _place(other, dice)
    chunk = other[place : place + end - start]
    return data[:start] + chunk + data[start + len(chunk) :]


def _repeat(data: bytes, other: bytes, dice: random.Random) -> bytes:
    start, end = _span(data, dice)
    return data[:end] + data[start:end] * dice.choice((1, 1, 2, 9)) + data[end:]


def _remove(data: bytes, other: bytes, dice: random.Random) -> bytes:
    start, end = _span(data, dice)
    return data[:start] + data[end:]


DAMAGES: MappingProxyType[str, tuple[int, Callable[[bytes, bytes, random.Random], bytes]]] = MappingProxyType(
    {
        "bits flipped": (4, _flip),
        "an integer replaced": (5, _integer),
        "a number in digits replaced": (4, _digits),
        "a chunk overwritten": (2, _overwrite),
        "a chunk repeated": (1, _repeat),
        "a chunk removed": (1, _remove),
        "truncated": (1, _truncate),
        "spliced with another file": (1, _splice),
    }
)
"""Name -> how often, and what is done. What leaves everything in its place gets further into a reader."""
