"""What a container says about its video track beside the frames: when they are shown, and how it should be turned.

Format: QuickTime and ISO base media (ISO/IEC 14496-12), track header and handler boxes.
"""

import math
import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import IO

MAX_BOXES = 10_000
UNEVEN = 0.02
"""How much a step may differ from the mean and still be rounding of the container's clock, beside one tick."""
MATRIX_AT = {0: 40, 1: 52}
"""Where the matrix of a track header stands, by its version."""


def parse_steps(stamps: Sequence[int], clock: float, *, reordered: bool) -> tuple[float | None, str | None]:
    """Return the mean seconds from frame to frame where the steps differ, and a note that says so; else nothing.

    Parameters
    ----------
    stamps
        Of the frames, in rising order, in ticks.
    clock
        Seconds per tick.
    reordered
        Whether these are times of decoding, which tell whether frames are even, but not when each is shown.
    """
    steps = [after - before for before, after in pairwise(stamps)]
    if not steps or clock <= 0 or max(steps) - min(steps) <= 2 + UNEVEN * sum(steps) / len(steps):
        return None, None
    if reordered:
        return None, "frames are not evenly spaced in time; the time step is the mean"
    least, most = min(steps) * clock, max(steps) * clock
    note = f"frames are {least:g} to {most:g} s apart; the time step is the mean"
    return sum(steps) / len(steps) * clock, note


def rotation(stream: IO[bytes]) -> int:
    """Return by how many degrees, clockwise, the first video track should be turned to be shown; 0 for no turn."""
    size = stream.seek(0, 2)
    for kind, start, end in _boxes(stream, 0, size):
        if kind == b"moov":
            for track, first, last in _boxes(stream, start, end):
                if track == b"trak" and _handler(stream, first, last) == b"vide":
                    return _turn(stream, first, last)
    return 0


def _boxes(stream: IO[bytes], place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of the content of the boxes between two places."""
    for _ in range(MAX_BOXES):
        if place + 8 > end:
            return
        stream.seek(place)
        raw = stream.read(16)
        if len(raw) < 8:
            return
        length, kind = struct.unpack_from(">I4s", raw)
        head = 8
        if length == 1 and len(raw) == 16:
            (length,), head = struct.unpack_from(">Q", raw, 8), 16
        elif length == 0:
            length = end - place
        if length < head or place + length > end:
            return
        yield kind, place + head, place + length
        place += length


def _handler(stream: IO[bytes], start: int, end: int) -> bytes:
    """Return what a track is: ``b"vide"``, ``b"soun"`` ..."""
    for kind, first, last in _boxes(stream, start, end):
        if kind == b"mdia":
            for inner, place, _ in _boxes(stream, first, last):
                if inner == b"hdlr":
                    stream.seek(place + 8)
                    return stream.read(4)
    return b""


def _turn(stream: IO[bytes], start: int, end: int) -> int:
    for kind, first, last in _boxes(stream, start, end):
        if kind == b"tkhd":
            stream.seek(first)
            raw = stream.read(min(last - first, 128))
            at = MATRIX_AT.get(raw[0] if raw else -1)
            if at is None or len(raw) < at + 36:
                return 0
            across, down = struct.unpack_from(">2i", raw, at)
            return round(math.degrees(math.atan2(down, across))) % 360
    return 0
