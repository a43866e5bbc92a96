"""Contrast transfer functions of a tilt series: what CTFFIND, Gctf and IMOD estimated -> one row per section.

CTFFIND 4 and 5, and AreTomo 3 like them, write a line per micrograph: number, defocus 1 and 2 in angstroms, azimuth in
degrees, phase shift in radians, correlation, resolution in angstroms; further columns are ignored. Gctf writes a star
file (phase shifts in degrees) or, as a summary, lines like CTFFIND's with or without the phase shift. For IMOD see
``imod_defocus``.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from coverslip.cryoet.files import MOST_SECTIONS, SMALL_TEXT, Text, read_text
from coverslip.cryoet.imod_defocus import read_defocus
from coverslip.cryoet.star import read_star
from coverslip.errors import InvalidRequestError

UNKNOWN = {"inf", "+inf", "-inf", "nan", "-nan", "infinity"}
"""What CTFFIND writes for a resolution where no ring could be fitted."""
SLICE = re.compile(r"0*([1-9]\d{0,8})@")
"""At the beginning of the name of an image in a stack: its number, from 1."""
COMMENTS = ("#", ";", "%")


@dataclass(frozen=True, slots=True)
class CtfRow:
    """What is known of one section. Unknown is ``None``."""

    section: int
    """Number of the section in the tilt series, from 1."""
    defocus_1: float
    """In angstroms, along the azimuth; underfocus is positive."""
    defocus_2: float
    """In angstroms, across the azimuth."""
    azimuth: float = 0.0
    """Of the astigmatism, in degrees."""
    phase_shift: float = 0.0
    """In radians."""
    cross_correlation: float | None = None
    max_resolution: float | None = None
    """In angstroms: up to here the rings could be fitted."""


def read_ctf(path: Path, file_format: str) -> tuple[CtfRow, ...]:
    """Return the rows of a file, by section; a section that the file says nothing of has none.

    Parameters
    ----------
    path
        The file.
    file_format
        ``"CTFFIND"``, ``"Gctf"`` or ``"IMOD"``, in any case.

    Raises
    ------
    InvalidRequestError
        There is no such format.
    UnreadableFileError
        The system did not let us look.
    ReadError
        It is damaged, or is there for a section twice.
    """
    read = FORMATS.get(file_format.upper())
    if read is None:
        raise InvalidRequestError(f"there is no format {file_format!r} of a CTF. There are: CTFFIND, Gctf, IMOD")
    rows = sorted(read(path), key=lambda row: row.section)
    return tuple(rows)


def _read_ctffind(path: Path) -> list[CtfRow]:
    text = read_text(path, SMALL_TEXT)
    rows = _Rows(text)
    for line, words in text.rows():
        if len(words) < 7:
            raise text.wrong(line, f"expected 7 columns or more, found {len(words)}")
        rows.add(line, words[0], words[1:4], words[4], words[5], words[6])
    return rows.found


def _read_gctf(path: Path) -> list[CtfRow]:
    text = read_text(path, SMALL_TEXT)
    first = next((words[0] for _, words in text.rows()), "")
    if first.startswith("data_"):
        return _read_gctf_star(path)
    rows = _Rows(text)
    for line, words in text.rows():
        if words[0].startswith(COMMENTS):
            continue
        if len(words) not in {6, 7}:
            raise text.wrong(line, f"expected 6 columns, or 7 with a phase shift, found {len(words)}")
        phase = words[4] if len(words) == 7 else "0"
        rows.add(line, words[0], words[1:4], phase, words[-2], words[-1])
    return rows.found


def _read_gctf_star(path: Path) -> list[CtfRow]:
    """Return rows in the order of the table, or by the number in ``000003@series.mrcs`` where names have one."""
    star = read_star(path)
    table = star.table_with("rlnDefocusU")
    names = table.words("rlnMicrographName") if "rlnMicrographName" in table else [""] * len(table.rows)
    numbers = [match[1] if (match := SLICE.match(name)) else "" for name in names]
    columns = {
        key: next((table.words(column) for column in choices if column in table), None)
        for key, choices in {
            "phase": ("rlnPhaseShift",),
            "quality": ("rlnCtfFigureOfMerit",),
            "resolution": ("rlnCtfMaxResolution", "rlnFinalResolution"),
        }.items()
    }
    focus = [table.words(column) for column in ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")]
    rows = _Rows(star.text)
    for n, line in enumerate(table.rows):
        phase, quality, resolution = (None if words is None else words[n] for words in columns.values())
        degrees = 0.0 if phase is None else star.text.number(phase, line, "rlnPhaseShift")
        number = numbers[n] if all(numbers) else str(n + 1)
        rows.add(line, number, [words[n] for words in focus], str(math.radians(degrees)), quality, resolution)
    return rows.found


class _Rows:
    """The rows found so far; each section comes once."""

    def __init__(self, text: Text) -> None:
        self.found: list[CtfRow] = []
        self._text = text
        self._sections: set[int] = set()

    def add(
        self, line: int, section: str, focus: list[str], phase: str, quality: str | None, resolution: str | None
    ) -> None:
        """Read one row; ``focus`` is defocus 1, defocus 2 and the azimuth."""
        number = self._text.whole(section, line, "the section")
        if not 1 <= number <= MOST_SECTIONS or number in self._sections:
            raise self._text.wrong(line, f"section {number} is there twice, or no number from 1 to {MOST_SECTIONS:,}")
        self._sections.add(number)
        first, second, azimuth = (
            self._text.number(word, line, name)
            for word, name in zip(focus, ("defocus 1", "defocus 2", "the azimuth"), strict=True)
        )
        fitted = resolution is not None and resolution.lower() not in UNKNOWN
        self.found.append(
            CtfRow(
                number,
                first,
                second,
                azimuth,
                self._text.number(phase, line, "the phase shift"),
                None if quality is None else self._text.number(quality, line, "the cross correlation"),
                self._text.number(resolution, line, "the resolution") if fitted and resolution is not None else None,
            )
        )


def _read_imod(path: Path) -> list[CtfRow]:
    return [CtfRow(*values) for values in read_defocus(path)]


FORMATS: Mapping[str, Callable[[Path], list[CtfRow]]] = {
    "CTFFIND": _read_ctffind,
    "GCTF": _read_gctf,
    "IMOD": _read_imod,
}
"""Every format by the name that configurations use, in capitals."""
