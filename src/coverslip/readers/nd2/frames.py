"""Where the frames of an ND2 file lie, and their pixels.

The container is a row of chunks (magic, length of name, length of data, name, data); the last chunk is a map of all
of them, and the last 40 bytes of the file say where the map is. A frame holds one time point, position and slice of
all channels, interleaved, after 8 bytes of time stamp. Read here directly because the ``nd2`` package hands out zeros
for a frame that is cut off; the package reads everything else.
"""

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ReadError
from coverslip.readers.budgets import check_pages

if TYPE_CHECKING:
    from nd2 import ND2File

    from coverslip.model.protocols import Array

CHUNK_MAGIC = 0x0ABECEDA
HEADER = struct.Struct("<IIQ")
PLACE = struct.Struct("<QQ")
TRAILER = struct.Struct("<32sQ")
MAP_SIGNATURE = b"ND2 CHUNK MAP SIGNATURE 0000001!"
LEGACY_SIGNATURE = b"LABORATORY IMAGING ND BOX MAP 00"
FRAME_PREFIX = "ImageDataSeq|"
STAMP_BYTES = 8
LOOP_AXES = {"TimeLoop": "T", "NETimeLoop": "T", "ZStackLoop": "Z", "XYPosLoop": "P"}


@dataclass(frozen=True, slots=True)
class FrameLayout:
    """How one frame lies in its chunk."""

    height: int
    width: int
    row_bytes: int
    """From one row to the next; rows may be padded."""
    channels: int
    samples: int
    """Interleaved samples per channel, in the order B, G, R where there are three."""
    dtype: "np.dtype[np.generic]"
    is_compressed: bool = False

    @property
    def pixel_bytes(self) -> int:
        """Bytes of one pixel with all channels and samples."""
        return self.channels * self.samples * self.dtype.itemsize

    def bytes_of(self, rows: int) -> int:
        """Bytes from the first to the last pixel of so many rows."""
        return (rows - 1) * self.row_bytes + self.width * self.pixel_bytes


class Frames(Protocol):
    """Gives the pixels of frames by their number."""

    @property
    def recorded(self) -> frozenset[int]:
        """Numbers of the frames that were ever recorded."""
        ...

    def rows(self, index: int, first: int, stop: int) -> "Array":
        """Return rows of one frame: shape Y, X, C, S."""
        ...

    def close(self) -> None:
        """Release the file."""
        ...


class ChunkFrames:
    """Frames of a present-day file."""

    def __init__(self, stream: BinaryIO, path: Path, places: Mapping[str, int], layout: FrameLayout) -> None:
        self._stream = stream
        self._path = path
        self._places = places
        self._layout = layout
        self._size = stream.seek(0, 2)
        numbers = (name[len(FRAME_PREFIX) : -1] for name in places if name.startswith(FRAME_PREFIX))
        self.recorded: frozenset[int] = frozenset(int(number) for number in numbers if number.isdecimal())

    def rows(self, index: int, first: int, stop: int) -> "Array":
        """Return rows of one frame: shape Y, X, C, S; samples as they lie in the file.

        Raises
        ------
        ReadError
            The frame is cut off, damaged, or compressed in a way nobody documents.
        """
        layout = self._layout
        start, length = self._data_of(index)
        needed = layout.bytes_of(layout.height)
        if layout.is_compressed:
            data = self._inflate(index, start, length, needed)[first * layout.row_bytes :]
        elif length < needed:
            raise self._damaged(index, f"{length} bytes where {needed} are needed, or lossy compression")
        else:
            data = self._bytes(index, start + first * layout.row_bytes, layout.bytes_of(stop - first))
        return np.ndarray(
            (stop - first, layout.width, layout.channels, layout.samples),
            layout.dtype,
            data,
            strides=(
                layout.row_bytes,
                layout.pixel_bytes,
                layout.samples * layout.dtype.itemsize,
                layout.dtype.itemsize,
            ),
        )

    def close(self) -> None:
        """Release the file."""
        self._stream.close()

    def _data_of(self, index: int) -> tuple[int, int]:
        """Return where the pixels of a frame begin, and how many bytes there are."""
        name = f"{FRAME_PREFIX}{index}!"
        start = self._places[name]
        magic, name_length, length = HEADER.unpack(self._bytes(index, start, HEADER.size))
        found = self._bytes(index, start + HEADER.size, len(name))
        if magic != CHUNK_MAGIC or found != name.encode():
            raise self._damaged(index, f"no such frame at byte {start}")
        return start + HEADER.size + name_length + STAMP_BYTES, length - STAMP_BYTES

    def _inflate(self, index: int, start: int, length: int, needed: int) -> bytes:
        """Return a whole losslessly compressed frame."""
        try:
            data = zlib.decompressobj().decompress(self._bytes(index, start, length), needed)
        except zlib.error as error:
            raise self._damaged(index, str(error)) from error
        if len(data) < needed:
            raise self._damaged(index, f"{len(data)} bytes after decompression where {needed} are needed")
        return data

    def _bytes(self, index: int, start: int, length: int) -> bytes:
        if start + length > self._size:
            raise self._damaged(index, "the file ends before it does")
        self._stream.seek(start)
        data = self._stream.read(length)
        if len(data) < length:
            raise self._damaged(index, "the file became shorter while it was read")
        return data

    def _damaged(self, index: int, why: str) -> ReadError:
        return ReadError(f"{self._path}: frame {index} cannot be read: {why}. Copy the file again from its source")


class LegacyFrames:
    """Frames of a file of the first generation (JPEG 2000 boxes), read by the ``nd2`` package."""

    def __init__(self, file: "ND2File", layout: FrameLayout, count: int) -> None:
        self._file = file
        self._layout = layout
        self.recorded: frozenset[int] = frozenset(range(count))

    def rows(self, index: int, first: int, stop: int) -> "Array":
        """Return rows of one frame: shape Y, X, C, S."""
        layout = self._layout
        frame: Array = self._file.read_frame(index)
        whole = frame.reshape(layout.channels, layout.height, layout.width, layout.samples)
        return whole[:, first:stop].transpose(1, 2, 0, 3)

    def close(self) -> None:
        """Release the file."""
        self._file.close()


def check_trailer(stream: BinaryIO, path: Path, *, legacy: bool) -> int:
    """Return where the map of the file begins (for legacy files: its distance from the end).

    Raises
    ------
    ReadError
        The map is missing: the file is cut off, or was never finished.
    """
    size = stream.seek(0, 2)
    stream.seek(max(size - TRAILER.size, 0))
    end = stream.read(TRAILER.size)
    signature, place = TRAILER.unpack(end) if len(end) == TRAILER.size else (b"", 0)
    if signature != (LEGACY_SIGNATURE if legacy else MAP_SIGNATURE) or not 0 < place < size:
        raise ReadError(
            f"{path}: the file is cut off: the map of its contents, which stands at the end, is missing "
            f"({size} bytes are there). Copy it again from its source"
        )
    return int(place)


def read_chunk_map(stream: BinaryIO, path: Path) -> dict[str, int]:
    """Return where every chunk begins, by name.

    Raises
    ------
    ReadError
        The file is cut off, or its map is damaged.
    """
    place = check_trailer(stream, path, legacy=False)
    size = stream.seek(0, 2)
    stream.seek(place)
    try:
        magic, name_length, length = HEADER.unpack(stream.read(HEADER.size))
        if magic != CHUNK_MAGIC or place + name_length + length > size:
            raise ValueError("it is not where it should be")
        stream.seek(name_length, 1)
        places = _parse_map(stream.read(length))
    except (ValueError, struct.error) as error:
        raise ReadError(f"{path}: the map of the file's contents is damaged: {error}") from error
    lost = next((name for name, start in places.items() if start + HEADER.size > size), None)
    if lost is not None:
        raise ReadError(f"{path}: the file is cut off: {lost!r} lies beyond its {size} bytes")
    return places


def _parse_map(data: bytes) -> dict[str, int]:
    """Return the entries of the map: a name that ends in ``!``, then place and length."""
    places: dict[str, int] = {}
    position = 0
    while True:
        stop = data.index(b"!", position) + 1
        name = data[position:stop]
        if name == MAP_SIGNATURE:
            return places
        start, _ = PLACE.unpack_from(data, stop)
        places[name.decode("utf-8", "replace")] = start
        position = stop + PLACE.size


def arrange(loops: Sequence[tuple[str, int]], count: int) -> tuple[NDArray[np.int64], str, str | None]:
    """Return the frame numbers by position, time, folded loop and slice; the loops as axes; and a remark.

    Parameters
    ----------
    loops
        Kind and length of every loop, outermost first. Frames are numbered with the innermost running fastest.
    count
        How many frames the file counts; used when it describes no loop.

    Returns
    -------
    tuple
        An array of shape P, T, U, Z; loops of the same kind are nested in it. The axes as the file has them.

    Raises
    ------
    ValueError
        A length is absurd.
    BudgetError
        They are too many.
    """
    loops = list(loops) or ([("Unknown", count)] if count > 1 else [])
    named = [LOOP_AXES.get(kind, "U") for kind, _ in loops]
    home = next((axis for axis in "ZT" if axis not in named), "U")
    axes = [home if axis == "U" else axis for axis in named]
    lengths = [length for _, length in loops]
    check_pages(prod(lengths), "frames")
    if any(length < 1 for length in lengths):
        raise ValueError(f"the file describes loops of {lengths} frames, which cannot be")
    order = [i for axis in "PTUZ" for i in range(len(axes)) if axes[i] == axis]
    numbers = np.arange(prod(lengths)).reshape(lengths).transpose(order)
    shape = [prod(lengths[i] for i in range(len(axes)) if axes[i] == axis) for axis in "PTUZ"]
    place = {"Z": "z", "T": "time", "U": "channels (C outermost)"}[home]
    note = f"A loop of unknown meaning is shown as {place}." if "U" in named else None
    return numbers.reshape(shape), "".join(named), note
