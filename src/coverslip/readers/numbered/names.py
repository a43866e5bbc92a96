"""What the name of a file says about its place in a set: ``img_t003_z12_c1.tif``. Pure.

Read are the names of MetaMorph and MetaXpress (``plate_E07_s1_w1DAPI_t3``, folders ``ZStep_4`` and ``TimePoint_2``),
Opera Phenix (``r01c02f03p04-ch1sk1fk1fl1``), CellVoyager (``A01_T0001F001L01A01Z01C01``), Leica (``_t00_z03_ch01``)
and what people write: ``time 1``, ``slice3``, ``T00012--Z000``. Wells, sites, positions and fields are no axes: they
tell one image from another.
"""

import re
from dataclasses import dataclass

AXES = "tcz"
LETTERS = {"t": "t", "tp": "t", "z": "z", "c": "c", "ch": "c"}
"""Short words, right before their number."""
WORDS = {
    "time": "t",
    "timepoint": "t",
    "frame": "t",
    "slice": "z",
    "plane": "z",
    "channel": "c",
    "wavelength": "c",
}
"""Long words, with at most one character between them and their number."""
PIECES = re.compile(r"[A-Za-z]+|[0-9]+|[^A-Za-z0-9]+")
UNIQUE = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$")
"""MetaXpress ends names with an identifier that says nothing and differs from file to file."""
WAVELENGTH = re.compile(r"(?:^|(?<=_))[wW]([1-9][0-9]?)(?![0-9])([^_]*)(?=_|$)")
"""MetaMorph's wavelength, ``w1`` or ``w1DAPI``. Numbers with leading zeros are wells."""
OPERA = re.compile(r"(r\d+c\d+f\d+)p(\d+)-ch(\d+)sk(\d+)(fk\d+fl\d+)")
FOLDER = re.compile(r"(ZStep|TimePoint)_(\d+)")
FOLDER_AXES = {"ZStep": "z", "TimePoint": "t"}
MAX_DIGITS = 9


@dataclass(frozen=True, slots=True)
class Place:
    """Where a file stands in its set."""

    skeleton: str
    """What all names of the set have in common, ``#`` in place of the counts."""
    axes: str
    """Which of t, c, z the name counts, in this order."""
    numbers: tuple[int, ...]
    """One for each axis, as in the name."""
    channel: str | None = None
    """What the name calls the channel."""


def parse_name(stem: str) -> Place | None:
    """Return the place that a file's name says, without its ending; ``None`` where it counts nothing, or twice."""
    stem = UNIQUE.sub("", stem)
    found: list[tuple[str, int]] = []
    channel: str | None = None
    opera = OPERA.fullmatch(stem)
    if opera:
        first, z, c, t, last = opera.groups()
        return _place(f"{first}p#-ch#sk#{last}", [("z", int(z)), ("c", int(c)), ("t", int(t))], f"ch{c}")
    wave = list(WAVELENGTH.finditer(stem))
    if len(wave) == 1:
        number, name = wave[0].groups()
        found.append(("c", int(number)))
        channel = name.strip(" -") or f"w{number}"
        stem = f"{stem[: wave[0].start()]}\0{stem[wave[0].end() :]}"
    pieces = PIECES.findall(stem)
    for i, piece in enumerate(pieces):
        axis, at = _counts(pieces, i)
        if axis is None:
            continue
        found.append((axis, int(pieces[at])))
        if axis == "c" and channel is None:
            channel = f"{piece}{pieces[at]}"
        pieces[at] = "#"
    return _place("".join(pieces), found, channel)


def parse_folder(name: str) -> tuple[str, int] | None:
    """Return the axis and number that the name of a MetaXpress folder says, such as ``ZStep_4``."""
    match = FOLDER.fullmatch(name)
    return (FOLDER_AXES[match[1]], int(match[2])) if match and len(match[2]) <= MAX_DIGITS else None


def _place(skeleton: str, found: list[tuple[str, int]], channel: str | None) -> Place | None:
    axes = "".join(axis for axis, _ in found)
    if not found or len(set(axes)) != len(axes):
        return None
    ordered = sorted(found, key=lambda item: AXES.index(item[0]))
    return Place(skeleton, "".join(axis for axis, _ in ordered), tuple(number for _, number in ordered), channel)


def _counts(pieces: list[str], i: int) -> tuple[str | None, int]:
    """Return which axis the word at ``i`` counts, and where its number is."""
    word = pieces[i].lower()
    at = i + 1
    if word in WORDS and at + 1 < len(pieces) and len(pieces[at]) == 1 and not pieces[at].isalnum():
        at += 1
    axis = LETTERS.get(word) if at == i + 1 else None
    axis = axis or WORDS.get(word)
    if axis is None or at >= len(pieces) or not _is_count(pieces[at]):
        return None, at
    begins = i == 0 or not pieces[i - 1].isalpha()
    ends = at + 1 == len(pieces) or not pieces[at + 1][0].isalpha()
    goes_on = at + 2 < len(pieces) and pieces[at + 1].isalpha() and _is_count(pieces[at + 2])
    return (axis if begins and (ends or goes_on) else None), at


def _is_count(piece: str) -> bool:
    return piece.isascii() and piece.isdigit() and len(piece) <= MAX_DIGITS
