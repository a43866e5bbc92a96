"""The tag tree of a DM3 or DM4 file -> dicts, lists and values. Large arrays stay in the file; their place is kept.

All structure is big-endian, values are in the byte order that the header states. DM4 has 64-bit counts where DM3 has
32-bit ones. Format: the descriptions of DM3 and DM4 files by Greg Jefferis and by Chris Boothroyd.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, Any, Literal

from coverslip.errors import ReadError

Order = Literal["<", ">"]

SIMPLE: Mapping[int, str] = {
    2: "h",
    3: "i",
    4: "H",
    5: "I",
    6: "f",
    7: "d",
    8: "?",
    9: "b",
    10: "B",
    11: "q",
    12: "Q",
}
"""Codes of single values, as ``struct`` knows them."""
STRUCT, STRING, ARRAY = 15, 18, 20
DATA_TAG, GROUP_TAG = 21, 20
MARK = b"%%%%"
MAX_TAGS = 500_000
MAX_DEPTH = 64
MAX_FIELDS = 1024
MAX_NAME = 1 << 12
SMALL_BYTES = 1 << 16
"""Arrays above this size stay in the file."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An array that stays in the file."""

    offset: int
    code: str
    """What ``struct`` calls one value; several letters for arrays of structures."""
    count: int

    @property
    def size(self) -> int:
        """Bytes."""
        return struct.calcsize("=" + self.code) * self.count


def version_of(head: bytes) -> int | None:
    """Return 3 or 4 for the beginning of a DM file, ``None`` for anything else."""
    if len(head) < 36:
        return None
    (version,) = struct.unpack_from(">I", head)
    if version not in (3, 4):
        return None
    wide = version == 4
    (order,) = struct.unpack_from(">I", head, 12 if wide else 8)
    flags, place = head[16:18] if wide else head[12:14], 18 if wide else 14
    (count,) = struct.unpack_from(">Q" if wide else ">I", head, place)
    first = head[place + (8 if wide else 4)]
    right = order in (0, 1) and max(flags) <= 1 and 0 < count <= MAX_TAGS and first in (DATA_TAG, GROUP_TAG)
    return version if right else None


def read_tags(stream: IO[bytes], size: int) -> tuple[dict[str, Any], Order, int]:
    """Return the tree, the byte order of values, and the version.

    Groups with names are dicts, groups without are lists; arrays are tuples, or ``Stored`` where they are large.

    Raises
    ------
    ReadError
        The file is cut off or damaged.
    """
    stream.seek(0)
    version = version_of(stream.read(64))
    if version is None:
        raise ReadError("the header is damaged or cut off. Copy the file again from its source")
    stream.seek(12 if version == 4 else 8)
    order: Order = "<" if struct.unpack(">I", stream.read(4))[0] == 1 else ">"
    tree = _Tree(stream, size, order, wide=version == 4)
    found = tree.group(0)
    return (found if isinstance(found, dict) else {}), order, version


class _Tree:
    """Reads the tree, counting what it costs."""

    def __init__(self, stream: IO[bytes], size: int, order: Order, *, wide: bool) -> None:
        self._stream = stream
        self._size = size
        self._order: Order = order
        self._wide = wide
        self._count = ">Q" if wide else ">I"
        self._left = MAX_TAGS

    def group(self, depth: int) -> Any:
        """Return a group: a dict, or a list where its tags have no names."""
        if depth > MAX_DEPTH:
            raise ReadError(f"tags more than {MAX_DEPTH} deep make no sense: the file is damaged")
        self._take(2)
        count = self._integer()
        self._left -= count
        if self._left < 0:
            raise ReadError(f"more than {MAX_TAGS} tags are too many")
        named: dict[str, Any] = {}
        nameless: list[Any] = []
        for _ in range(count):
            kind, length = struct.unpack(">BH", self._take(3))
            if length > MAX_NAME:
                raise ReadError("the name of a tag makes no sense: the file is damaged")
            name = self._take(length).decode("latin-1")
            if self._wide:
                self._take(8)
            if kind not in (DATA_TAG, GROUP_TAG):
                raise ReadError(f"a tag of kind {kind} makes no sense: the file is damaged")
            value = self.group(depth + 1) if kind == GROUP_TAG else self._data()
            if name:
                named[name] = value
            else:
                nameless.append(value)
        return named if named or not nameless else nameless

    def _data(self) -> Any:
        if self._take(4) != MARK:
            raise ReadError("the mark before a value is missing: the file is damaged")
        count = self._integer()
        if not 0 < count <= 2 * MAX_FIELDS:
            raise ReadError("the description of a value makes no sense: the file is damaged")
        size = 8 if self._wide else 4
        info = struct.unpack(f">{count}{self._count[1]}", self._take(size * count))
        kind = info[0]
        if kind in SIMPLE:
            return self._values(SIMPLE[kind])[0]
        if kind == STRUCT:
            return self._values(_fields(info[1:]))
        if kind == STRING and count > 1:
            return self._array("H", info[1])
        if kind == ARRAY and count > 2:
            return self._array(_fields(info[2:-1]) if info[1] == STRUCT else SIMPLE.get(info[1], ""), info[-1])
        raise ReadError(f"a value of kind {kind} makes no sense: the file is damaged")

    def _array(self, code: str, count: int) -> Any:
        """Return a small array of 16-bit numbers as text, another as a tuple, a large one as its place."""
        if not code:
            raise ReadError("an array of values of an unknown kind: the file is damaged")
        stored = Stored(self._stream.tell(), code, count)
        if stored.offset + stored.size > self._size:
            raise ReadError(
                f"an array of {stored.size} bytes at {stored.offset} ends behind the file: it is truncated or damaged. "
                "Copy it again from its source"
            )
        if stored.size > SMALL_BYTES:
            self._stream.seek(stored.size, 1)
            return stored
        raw = self._take(stored.size)
        if code == "H":
            text = raw.decode("utf-16-le" if self._order == "<" else "utf-16-be", "replace")
            named = Text(text)
            named.stored = stored
            return named
        values = Values(struct.unpack(f"{self._order}{code * count}", raw) if count <= MAX_FIELDS else ())
        values.stored = stored
        return values

    def _values(self, code: str) -> tuple[Any, ...]:
        return struct.unpack(self._order + code, self._take(struct.calcsize("=" + code)))

    def _integer(self) -> int:
        (value,) = struct.unpack(self._count, self._take(8 if self._wide else 4))
        return int(value)

    def _take(self, count: int) -> bytes:
        found = self._stream.read(count)
        if len(found) < count:
            raise ReadError("the file ends among its tags: it is truncated. Copy it again from its source")
        return found


class Text(str):
    """A small array of 16-bit numbers, which are text unless somebody knows better."""

    stored: Stored | None = None


class Values(tuple[Any, ...]):
    """A small array of numbers, and where it is; empty where it has more than a person would read."""

    stored: Stored | None = None


def place_of(value: object) -> Stored | None:
    """Return where an array is in the file, ``None`` for anything else."""
    return value if isinstance(value, Stored) else getattr(value, "stored", None)


def _fields(info: tuple[int, ...]) -> str:
    """Return the code of a structure from its description: length of its name, number of fields, and those."""
    if len(info) < 2 or not 0 < info[1] <= MAX_FIELDS or len(info) < 2 + 2 * info[1]:
        raise ReadError("the description of a structure makes no sense: the file is damaged")
    codes = [SIMPLE.get(kind, "") for kind in info[3 : 3 + 2 * info[1] : 2]]
    if not all(codes):
        raise ReadError("a structure of values of unknown kinds: the file is damaged")
    return "".join(codes)
