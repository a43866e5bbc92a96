"""Alignment files of AreTomo 3 (``.aln``).

A header of comments (``# RawSize``, ``# DarkFrame``, ``# AlphaOffset``, ``# BetaOffset``, ``# Thickness``), then a
line per section that was used: SEC ROT GMAG TX TY SMEAN SFIT SCALE BASE TILT. Sections are numbered anew after dark
ones were left out; ``# DarkFrame = 3 ...`` names the number, from 0, that each had in the tilt series. Local alignments
are not read. The offset is TX, TY as it stands, and ROT is the turn of the tilt axis, in degrees, anticlockwise.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coverslip.cryoet.files import MOST_SECTIONS, SMALL_TEXT, Text, read_text, shown
from coverslip.cryoet.sections import Section

COLUMNS = 10
"""SEC ROT GMAG TX TY SMEAN SFIT SCALE BASE TILT."""
TITLE = "# AreTomo Alignment"
LOCAL = "# Local Alignment"
NUMBERS = {"AlphaOffset", "BetaOffset", "Thickness"}


@dataclass(frozen=True, slots=True)
class Aln:
    """A whole file."""

    raw_size: tuple[int, int, int]
    """Width and height in pixels, and sections, of the tilt series."""
    sections: tuple[Section, ...]
    alpha_offset: float = 0.0
    """Added to all tilt angles, in degrees."""
    beta_offset: float = 0.0
    """Of the volume about x, in degrees."""
    thickness: float | None = None
    """Of the specimen as AreTomo estimated it, in pixels of the unbinned tilt series."""


def read_aln(path: Path) -> Aln:
    """Return the alignment of every section that was used.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        It is damaged, or the numbers of sections, of dark ones and of used ones do not fit.
    """
    text = read_text(path, SMALL_TEXT)
    if not text.lines[0].startswith(TITLE):
        raise text.wrong(1, f"this is no alignment of AreTomo: {shown(text.lines[0])}")
    header, dark = _header(text)
    if "RawSize" not in header:
        raise text.wrong(0, "the header has no RawSize")
    line, words = header["RawSize"]
    width, height, count = _whole(text, line, words, 3)
    if not 1 <= count <= MOST_SECTIONS:
        raise text.wrong(line, f"a tilt series of {count:,} sections is none")
    used = [z for z in range(count) if z not in dark]
    rows = list(_rows(text))
    if not dark <= set(range(count)) or len(rows) != len(used):
        raise text.wrong(
            0, f"{count} sections, {len(dark)} of them dark, leave {len(used)}, but {len(rows)} are aligned"
        )
    said = {key: _number(text, *header[key]) for key in NUMBERS if key in header}
    return Aln(
        raw_size=(width, height, count),
        sections=tuple(_section(text, z, *row) for z, row in zip(used, rows, strict=True)),
        alpha_offset=said.get("AlphaOffset", 0.0),
        beta_offset=said.get("BetaOffset", 0.0),
        thickness=said.get("Thickness"),
    )


Words = tuple[int, list[str]]


def _header(text: Text) -> tuple[dict[str, Words], set[int]]:
    """Return the values of the header by name, and the dark sections."""
    found: dict[str, Words] = {}
    dark: set[int] = set()
    for number, line in enumerate(text.lines, 1):
        if line.startswith(LOCAL):
            break
        name, equals, value = line.removeprefix("#").partition("=")
        if not line.startswith("#") or not equals:
            continue
        words = value.split()
        if name.strip() == "DarkFrame":
            dark.add(_whole(text, number, words[:1], 1)[0])
        else:
            found[name.strip()] = number, words
    return found, dark


def _rows(text: Text) -> Iterator[Words]:
    """Yield the lines of the global alignment."""
    for number, line in enumerate(text.lines, 1):
        if line.startswith(LOCAL):
            return
        words = line.split()
        if words and not line.startswith("#"):
            if len(words) != COLUMNS:
                raise text.wrong(number, f"expected {COLUMNS} columns, found {len(words)}")
            yield number, words


def _section(text: Text, z: int, line: int, words: list[str]) -> Section:
    numbers = [text.number(word, line, "a value") for word in words]
    turn = math.radians(numbers[1])
    cosine, sine = math.cos(turn), math.sin(turn)
    return Section(z, numbers[9], 0.0, ((cosine, -sine), (sine, cosine)), numbers[3], numbers[4])


def _whole(text: Text, line: int, words: list[str], count: int) -> list[int]:
    if len(words) != count:
        raise text.wrong(line, f"expected {count} numbers, found {len(words)}")
    return [text.whole(word, line, "a value") for word in words]


def _number(text: Text, line: int, words: list[str]) -> float:
    if len(words) != 1:
        raise text.wrong(line, f"expected a number, found {shown(' '.join(words))}")
    return text.number(words[0], line, "a value")
