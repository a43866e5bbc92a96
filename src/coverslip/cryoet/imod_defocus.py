"""Defocus files of IMOD (``.defocus``), versions 1 to 3, as ctfplotter writes and ctfphaseflip reads them.

Format: man page of ctfphaseflip. A line is for the views from the first to the second number, from 1: their tilt
angles, then defocus in nanometres. Version 3 begins with a line of flags: 1 astigmatism (two defocus values and the
angle), 2 that angle in radians, 4 a phase shift, 8 that in radians, 16 tilt angles inverted, 32 a cut-on frequency.
Version 2 has the number 2 at the end of its first line.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coverslip.cryoet.files import MOST_SECTIONS, SMALL_TEXT, Text, read_text

ASTIGMATISM, AXIS_IN_RADIANS, PHASE, PHASE_IN_RADIANS, INVERTED, CUT_ON = 1, 2, 4, 8, 16, 32
ANGSTROMS = 10.0
"""In a nanometre."""
Values = tuple[int, float, float, float, float]
"""Section, defocus 1, defocus 2, azimuth, phase shift."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a file, in our units."""

    first: int
    last: int
    values: tuple[float, float, float, float]


def read_defocus(path: Path) -> Iterator[Values]:
    """Yield section (from 1), defocus 1 and 2 in angstroms, azimuth in degrees and phase shift in radians, by section.

    A line for several views counts for each of them; where lines overlap, a view takes the one whose middle is nearest,
    and of two equally near the earlier.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        It is damaged, or counts views from 0, as IMOD did before version 4.1: nobody can tell which view is meant.
    """
    text = read_text(path, SMALL_TEXT)
    lines = list(_lines(text))
    chosen: dict[int, tuple[int, _Line]] = {}
    for line in lines:
        for view in range(line.first, line.last + 1):
            distance = abs(2 * view - line.first - line.last)
            if view not in chosen or distance < chosen[view][0]:
                chosen[view] = distance, line
    for view in sorted(chosen):
        yield view, *chosen[view][1].values


def _lines(text: Text) -> Iterator[_Line]:
    rows = list(text.rows())
    if not rows:
        return
    flags = 0
    number, words = rows[0]
    head = [text.number(word, number, "a value") for word in words]
    if len(head) >= 6 and not any(head[1:5]):
        flags = text.whole(words[0], number, "the flags")
        version = text.whole(words[5], number, "the version")
        if version != 3 or not 0 <= flags < 64:
            raise text.wrong(number, f"version {version} with flags {flags} is not known")
        del rows[0]
    elif len(head) == 6 and head[5] == 2:
        rows[0] = number, words[:5]
    covered = 0
    for place, values in rows:
        line = _line(text, place, values, flags)
        covered += line.last - line.first + 1
        if covered > 10 * MOST_SECTIONS:
            raise text.wrong(place, "the lines cover more views than a tilt series has")
        yield line


def _line(text: Text, line: int, words: list[str], flags: int) -> _Line:
    numbers = [text.number(word, line, "a value") for word in words]
    expected = 5 + 2 * bool(flags & ASTIGMATISM) + bool(flags & PHASE) + bool(flags & CUT_ON)
    if len(numbers) != expected:
        raise text.wrong(line, f"expected {expected} columns with flags {flags}, found {len(numbers)}")
    first, last = (text.whole(word, line, "a view") for word in words[:2])
    if not 1 <= first <= last <= MOST_SECTIONS:
        raise text.wrong(line, f"views {first} to {last} are none; they are counted from 1")
    rest = numbers[4:]
    one = two = rest.pop(0)
    azimuth = phase = 0.0
    if flags & ASTIGMATISM:
        two, azimuth = rest.pop(0), rest.pop(0)
        azimuth = math.degrees(azimuth) if flags & AXIS_IN_RADIANS else azimuth
    if flags & PHASE:
        phase = rest.pop(0)
        phase = phase if flags & PHASE_IN_RADIANS else math.radians(phase)
    return _Line(first, last, (one * ANGSTROMS, two * ANGSTROMS, azimuth, phase))
