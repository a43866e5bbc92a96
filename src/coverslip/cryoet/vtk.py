"""Legacy VTK files (``.vtk``) of polygons: ASCII and binary, versions 1 to 5.

Format: "VTK File Formats" of the VTK book, and its chapter on version 5.1, which stores offsets and connectivity.
Polygons of more than three corners become fans, strips become triangles. Lines, vertices and attributes are skipped.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.cryoet.files import read_bytes, shown
from coverslip.errors import ReadError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = NDArray[Any]

TYPES = {
    "char": "i1",
    "unsigned_char": "u1",
    "short": "i2",
    "unsigned_short": "u2",
    "int": "i4",
    "unsigned_int": "u4",
    "long": "i8",
    "unsigned_long": "u8",
    "vtktypeint32": "i4",
    "vtktypeint64": "i8",
    "vtkidtype": "i8",
    "float": "f4",
    "double": "f8",
}
"""NumPy types by the names in the file; binary numbers are big-endian."""
CELLS = {"VERTICES", "LINES", "POLYGONS", "TRIANGLE_STRIPS"}
ENDINGS = {"POINT_DATA", "CELL_DATA", "FIELD"}
"""Attributes come after everything that has a shape."""
MOST_NUMBERS = 40_000_000


def read_polydata(path: Path) -> "tuple[Numbers, Numbers]":
    """Return vertices (n, 3) and triangles (m, 3).

    Raises
    ------
    UnreadableFileError
        The system did not let us look.
    ReadError
        It is damaged, or no legacy VTK file of polygons.
    """
    return _Parser(path, read_bytes(path)).parse()


class _Parser:
    """Goes through the sections once."""

    def __init__(self, path: Path, content: bytes) -> None:
        self._path = path
        self._content = content
        self._at = 0
        self._line = 0
        version = self._read_line()
        if not version.startswith("# vtk DataFile Version"):
            raise self._wrong(f"this is no legacy VTK file: {shown(version)}")
        self._is_new = version.split()[-1].split(".")[0] >= "5"
        self._read_line()
        kind = self._read_line().upper()
        if kind not in {"ASCII", "BINARY"}:
            raise self._wrong(f"expected ASCII or BINARY, found {shown(kind)}")
        self._is_text = kind == "ASCII"

    def parse(self) -> "tuple[Numbers, Numbers]":
        words = self._next_words()
        if [word.upper() for word in words] != ["DATASET", "POLYDATA"]:
            raise self._wrong(f"only DATASET POLYDATA is read, not {shown(' '.join(words))}")
        vertices: Numbers | None = None
        triangles: list[Numbers] = []
        while words := self._next_words():
            section = words[0].upper()
            if section in ENDINGS:
                break
            if section == "METADATA":
                while self._at < len(self._content) and self._read_line():
                    pass
            elif section == "POINTS" and len(words) == 3 and vertices is None:
                vertices = self._numbers(3 * self._count(words[1]), words[2]).reshape(-1, 3)
            elif section in CELLS and len(words) == 3:
                triangles.append(self._cells(section, self._count(words[1]), self._count(words[2])))
            else:
                raise self._wrong(f"this section is not known: {shown(' '.join(words))}")
        if vertices is None:
            raise self._wrong("the file has no points")
        return vertices, np.concatenate([np.empty((0, 3), np.int64), *triangles])

    def _cells(self, section: str, count: int, size: int) -> "Numbers":
        """Return the triangles of one section of cells; none for lines and vertices."""
        if self._is_new:
            offsets = self._array("OFFSETS", count)
            corners = self._array("CONNECTIVITY", size)
        else:
            stored = self._numbers(size, "int").astype(np.int64)
            offsets, corners = self._taken_apart(stored, count)
        lengths = np.diff(offsets)
        if len(offsets) and (offsets[0] != 0 or offsets[-1] != len(corners) or (lengths < 0).any()):
            raise self._wrong(f"the offsets of {section} do not fit its {len(corners)} corners")
        if section not in {"POLYGONS", "TRIANGLE_STRIPS"} or not len(lengths):
            return np.empty((0, 3), np.int64)
        return _triangles(offsets[:-1], lengths, corners, is_strip=section == "TRIANGLE_STRIPS")

    def _taken_apart(self, stored: "Numbers", count: int) -> "tuple[Numbers, Numbers]":
        """Return offsets and corners of cells that are stored as length, corner, corner ..."""
        if count and len(stored) == 4 * count and (stored[::4] == 3).all():
            return np.arange(count + 1) * 3, stored.reshape(-1, 4)[:, 1:].reshape(-1)
        starts, at, lengths = [], 0, stored.tolist()
        for _ in range(count):
            if at >= len(lengths) or lengths[at] < 0:
                raise self._wrong(f"the section ends before its {count} cells do")
            starts.append(at)
            at += 1 + lengths[at]
        if at != len(lengths):
            raise self._wrong(f"{count} cells have {at} numbers, the section says {len(lengths)}")
        kept = np.ones(len(stored), bool)
        kept[starts] = False
        return np.cumsum([0, *(lengths[start] for start in starts)]), stored[kept]

    def _array(self, name: str, count: int) -> "Numbers":
        words = self._next_words()
        if len(words) != 2 or words[0].upper() != name:
            raise self._wrong(f"expected {name} and a type, found {shown(' '.join(words))}")
        return self._numbers(count, words[1]).astype(np.int64)

    def _count(self, word: str) -> int:
        if not word.isascii() or not word.isdigit() or len(word) > 12:
            raise self._wrong(f"{shown(word)} is no number of things")
        return int(word)

    def _numbers(self, count: int, kind: str) -> "Numbers":
        """Return so many numbers; they are compared with what is left of the file first."""
        stored = TYPES.get(kind.lower())
        if stored is None:
            raise self._wrong(f"there is no type {shown(kind)}")
        left = len(self._content) - self._at
        length = count * np.dtype(stored).itemsize
        if count > MOST_NUMBERS or (length if not self._is_text else 2 * count - 1) > left:
            raise self._wrong(f"{count:,} numbers are promised, and {left:,} bytes are left: the file is truncated")
        if not self._is_text:
            values = np.frombuffer(self._content, f">{stored}", count, self._at)
            self._at += length
            return values.astype(stored)
        values = np.empty(count, stored)
        filled = 0
        while filled < count:
            if self._at >= len(self._content):
                raise self._wrong(f"the file ends after {filled} of {count} numbers")
            words = self._read_line().split()
            if filled + len(words) > count:
                raise self._wrong(f"expected {count - filled} numbers at most, found {len(words)}")
            try:
                with np.errstate(over="ignore"):  # what is too large for its type becomes infinite, and is refused
                    values[filled : filled + len(words)] = np.array(words, dtype="f8" if stored[0] == "f" else "i8")
            except (ValueError, OverflowError) as error:
                raise self._wrong(f"expected numbers, found {shown(' '.join(words))}") from error
            filled += len(words)
        return values

    def _next_words(self) -> list[str]:
        """Return the words of the next line that has any, none at the end."""
        while self._at < len(self._content):
            if words := self._read_line().split():
                return words
        return []

    def _read_line(self) -> str:
        end = self._content.find(b"\n", self._at)
        end = len(self._content) if end < 0 else end
        line = self._content[self._at : end]
        self._at = end + 1
        self._line += 1
        return line.decode("latin-1").strip()

    def _wrong(self, what: str) -> ReadError:
        place = f":{self._line}" if getattr(self, "_is_text", True) else f": byte {self._at}"
        return ReadError(f"{self._path}{place}: {what}")


def _triangles(starts: "Numbers", lengths: "Numbers", corners: "Numbers", *, is_strip: bool) -> "Numbers":
    """Return cells as triangles: a strip turns every second one round, a polygon is a fan from its first corner."""
    counts = np.maximum(lengths - 2, 0)
    cell = np.repeat(np.arange(len(counts)), counts)
    step = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    first = starts[cell]
    if not is_strip:
        places = np.stack([first, first + step + 1, first + step + 2], axis=1)
    else:
        odd = step % 2
        places = np.stack([first + step, first + step + 1 + odd, first + step + 2 - odd], axis=1)
    triangles: Numbers = corners[places]
    return triangles
