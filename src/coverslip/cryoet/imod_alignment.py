"""Files of an IMOD alignment: ``.xf``, ``.tlt``, ``.xtilt``, ``tilt.com`` and ``newst.com``.

Formats: man pages of xfmodel, tilt and newstack. A line of ``.xf`` is A11 A12 A21 A22 DX DY: a point at ``p`` from the
centre of the unaligned image comes to ``A p + D`` from the centre of the aligned one. Sections are described the other
way round, ``p = A^T (q - D)``, as the package ``cryoet-alignment`` of the CryoET Data Portal does it: with the
transposed matrix, which is the inverse where nothing is magnified.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from coverslip.cryoet.files import MOST_SECTIONS, SMALL_TEXT, Text, read_text, shown
from coverslip.cryoet.sections import Section

EXCLUDING = ("EXCLUDELIST2", "EXCLUDELIST", "EXCLUDE")
RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?$")


@dataclass(frozen=True, slots=True)
class TiltCom:
    """What of ``tilt.com`` says how the volume lies; the defaults are those of the program tilt."""

    excluded: frozenset[int] = frozenset()
    """Sections left out, from 1."""
    offset: float = 0.0
    """Added to all tilt angles, in degrees (``OFFSET``)."""
    x_axis_tilt: float = 0.0
    """In degrees (``XAXISTILT``)."""
    thickness: float | None = None
    """In pixels of the unbinned tilt series (``THICKNESS``)."""
    full_image: tuple[float, float] | None = None
    """Width and height of the aligned image, in pixels of the unbinned tilt series (``FULLIMAGE``)."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Along x and z, in pixels of the unbinned tilt series (``SHIFT``)."""
    binning: float = 1.0
    """``IMAGEBINNED``."""


@dataclass(frozen=True, slots=True)
class NewstCom:
    """What of ``newst.com`` says how the aligned stack was made."""

    binning: float = 1.0
    """``BinByFactor``."""
    offset: tuple[float, float] = (0.0, 0.0)
    """Of the centre of the aligned image, in pixels (``OffsetsInXandY``)."""


def read_sections(xf: Path, tlt: Path, xtilt: Path | None, *, excluded: frozenset[int]) -> tuple[Section, ...]:
    """Return the sections that were used.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        A file is damaged, or they have different numbers of lines.
    """
    transforms = _read_columns(xf, 6)
    tilts = _read_columns(tlt, 1)
    turns = _read_columns(xtilt, 1) if xtilt else [[0.0]] * len(tilts)
    for path, found in ((tlt, tilts), (xtilt, turns)):
        if len(found) != len(transforms):
            raise Text(path or tlt, ()).wrong(0, f"{len(found)} sections, but {xf.name} has {len(transforms)}")
    return tuple(
        _section(z, transform, tilts[z][0], turns[z][0])
        for z, transform in enumerate(transforms)
        if z + 1 not in excluded
    )


def _section(z: int, transform: list[float], tilt: float, turn: float) -> Section:
    a11, a12, a21, a22, dx, dy = transform
    # 0.0 is added so that no zero has a sign
    x, y = -(a11 * dx + a21 * dy) + 0.0, -(a12 * dx + a22 * dy) + 0.0
    return Section(z, tilt, turn, ((a11, a21), (a12, a22)), x, y)


def read_tilt_com(path: Path) -> TiltCom:
    """Return what a command file for the program tilt says.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        A value that counts is none.
    """
    com = _Com(read_text(path, SMALL_TEXT))
    full, thickness = com.numbers("FULLIMAGE", 2), com.numbers("THICKNESS", 1)
    shift = com.numbers("SHIFT", 2, 1)
    return TiltCom(
        excluded=frozenset(number for name in EXCLUDING for number in com.ranges(name)),
        offset=com.number("OFFSET", 0.0),
        x_axis_tilt=com.number("XAXISTILT", 0.0),
        thickness=thickness[0] if thickness else None,
        full_image=(full[0], full[1]) if full else None,
        shift=(shift[0], shift[1] if len(shift) > 1 else 0.0) if shift else (0.0, 0.0),
        binning=com.number("IMAGEBINNED", 1.0),
    )


def read_newst_com(path: Path) -> NewstCom:
    """Return what a command file for the program newstack says.

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        A value that counts is none.
    """
    com = _Com(read_text(path, SMALL_TEXT))
    offset = com.numbers("OffsetsInXandY", 2)
    return NewstCom(com.number("BinByFactor", 1.0), (offset[0], offset[1]) if offset else (0.0, 0.0))


def _read_columns(path: Path, count: int) -> list[list[float]]:
    """Return the numbers of every line that is not empty."""
    text = read_text(path, SMALL_TEXT)
    found: list[list[float]] = []
    for line, words in text.rows():
        if len(words) != count:
            raise text.wrong(line, f"expected {count} numbers, found {shown(' '.join(words))}")
        if len(found) >= MOST_SECTIONS:
            raise text.wrong(line, f"the file has more sections than {MOST_SECTIONS:,}")
        found.append([text.number(word, line, "a value") for word in words])
    if not found:
        raise text.wrong(0, "the file has no section")
    return found


class _Com:
    """A command file: lines of a keyword and its values; the last one of a keyword counts, as for IMOD's programs."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._entries: dict[str, list[tuple[int, list[str]]]] = {}
        for line, words in text.rows():
            if not words[0].startswith("$"):
                values = " ".join(words[1:]).replace(",", " ").split()
                self._entries.setdefault(words[0].lower(), []).append((line, values))

    def number(self, name: str, default: float) -> float:
        """Return one number."""
        found = self.numbers(name, 1)
        return found[0] if found else default

    def numbers(self, name: str, most: int, least: int | None = None) -> list[float]:
        """Return the numbers of a keyword, none where it is not there."""
        entries = self._entries.get(name.lower())
        if not entries:
            return []
        line, words = entries[-1]
        if not (most if least is None else least) <= len(words) <= most:
            raise self._text.wrong(line, f"{name} has {len(words)} values, not {most}")
        return [self._text.number(word, line, name) for word in words]

    def ranges(self, name: str) -> set[int]:
        """Return the numbers of all lists of a keyword, such as ``1,4-6``; several lists add up."""
        found: set[int] = set()
        left = MOST_SECTIONS
        for line, words in self._entries.get(name.lower(), []):
            for word in words:
                match = RANGE.match(word)
                first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
                left -= last - first + 1
                if not 1 <= first <= last <= MOST_SECTIONS or left < 0:
                    raise self._text.wrong(line, f"{name}: {shown(word)} is no range of sections")
                found.update(range(first, last + 1))
        return found
