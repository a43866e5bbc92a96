"""The pixels of one DICOM file, and frames of any number of them through few open files."""

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from coverslip.errors import ReadError
from coverslip.readers.bounded import BoundedFile
from coverslip.readers.budgets import check_pages
from coverslip.readers.dicom.frames import PixelData, Span, find_frames, find_pixels, read_spans, read_words
from coverslip.readers.dicom.metadata import numbers, value
from coverslip.readers.dicom.pixels import BIG_ENDIAN, COMPRESSED, IMPLICIT, PLAIN, RATIO, PixelFormat, decode_frame
from coverslip.readers.planes import check_promise

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from coverslip.model.protocols import Array

OPEN_FILES = 16
PIXEL_KEYWORDS = (
    "BitsAllocated",
    "BitsStored",
    "Columns",
    "ExtendedOffsetTable",
    "NumberOfFrames",
    "PhotometricInterpretation",
    "PixelRepresentation",
    "PlanarConfiguration",
    "Rows",
    "SamplesPerPixel",
)
"""What says how the pixels are stored."""


@dataclass(frozen=True, slots=True)
class Instance:
    """Where the pixels of one file are and how they are coded."""

    path: Path
    kind: PixelFormat
    pixels: PixelData
    count: int
    """Frames."""
    table: bytes = b""
    """Extended offset table: 64-bit offsets of the frames; empty where there is none."""


def parse_instance(path: Path, stream: IO[bytes], dataset: "Dataset", syntax: str) -> Instance:
    """Return how the pixels are stored; the stream stands at the beginning of their element.

    Raises
    ------
    ReadError
        There are no pixels, they are fewer than promised, or are stored in a way that is not read.
    """
    if syntax not in PLAIN | COMPRESSED:
        raise ReadError(f"{path}: pixels in the transfer syntax {syntax or '(none stated)'} are not read")
    order: Literal["<", ">"] = ">" if syntax == BIG_ENDIAN else "<"
    pixels = find_pixels(stream, implicit=syntax == IMPLICIT, order=order)
    kind = _pixel_format(dataset, syntax, order, floating=pixels.floating)
    count = int(next(iter(numbers(dataset, "NumberOfFrames")), 1)) or 1
    if count < 1:
        raise ReadError(f"{path}: {count} frames cannot be")
    check_pages(count, "frames")
    if pixels.encapsulated != (syntax in COMPRESSED):
        raise ReadError(f"{path}: the transfer syntax and the pixels contradict each other")
    if not pixels.encapsulated:
        check_promise(path, -(-kind.frame_bits * count // 8), pixels.length)
    table = value(dataset, "ExtendedOffsetTable")
    return Instance(path, kind, pixels, count, table if isinstance(table, bytes) else b"")


class Frames:
    """Frames of files; at most ``OPEN_FILES`` of them are open."""

    def __init__(self) -> None:
        self._streams: OrderedDict[Path, IO[bytes]] = OrderedDict()
        self._kept: dict[Path, IO[bytes]] = {}
        self._spans: dict[Path, list[list[Span]]] = {}

    def keep(self, path: Path, stream: IO[bytes]) -> None:
        """Read a file's frames from this stream, and close it in the end."""
        self._kept[path] = stream

    def find(self, instance: Instance) -> None:
        """Find where the compressed frames of a file lie.

        Raises
        ------
        ReadError
            They are damaged, or too short for what the header promises.
        """
        if not instance.pixels.encapsulated or instance.path in self._spans:
            return
        found = find_frames(self._stream(instance.path), instance.pixels, instance.count, instance.table)
        smallest = min(sum(length for _, length in spans) for spans in found)
        check_promise(instance.path, -(-instance.kind.frame_bits // 8), smallest, RATIO)
        self._spans[instance.path] = found

    def frame(self, instance: Instance, index: int) -> "Array":
        """Return a frame: shape Y, X (and S).

        Raises
        ------
        ReadError
            The file does not give it.
        """
        kind = instance.kind
        stream = self._stream(instance.path)
        if instance.pixels.encapsulated:
            self.find(instance)
            return decode_frame(kind, read_spans(stream, self._spans[instance.path][index]))
        first = index * kind.frame_bits
        if first % 8:
            raise ReadError(f"{instance.path}: frames of single bits that begin within a byte are not read")
        start, length = first // 8, -(-kind.frame_bits // 8)
        if kind.order == ">" and kind.allocated <= 8 and instance.pixels.words:
            return decode_frame(kind, read_words(stream, instance.pixels, start, length))
        return decode_frame(kind, read_spans(stream, [(instance.pixels.start + start, length)]))

    def close(self) -> None:
        """Close every file."""
        for stream in (*self._kept.values(), *self._streams.values()):
            stream.close()
        self._streams.clear()

    def _stream(self, path: Path) -> IO[bytes]:
        if path in self._kept:
            return self._kept[path]
        stream = self._streams.pop(path, None) or BoundedFile(path)
        self._streams[path] = stream
        if len(self._streams) > OPEN_FILES:
            self._streams.popitem(last=False)[1].close()
        return stream


def _pixel_format(dataset: "Dataset", syntax: str, order: Literal["<", ">"], *, floating: bool) -> PixelFormat:
    """Return what the header says of the pixels.

    Raises
    ------
    ReadError
        It contradicts itself.
    """

    def whole(keyword: str, default: int) -> int:
        return int(next(iter(numbers(dataset, keyword)), default))

    allocated = whole("BitsAllocated", 0)
    kind = PixelFormat(
        syntax=syntax,
        rows=whole("Rows", 0),
        columns=whole("Columns", 0),
        samples=whole("SamplesPerPixel", 1),
        allocated=allocated,
        stored=allocated if floating else whole("BitsStored", allocated),
        signed=whole("PixelRepresentation", 0) == 1,
        floating=floating,
        by_plane=whole("PlanarConfiguration", 0) == 1,
        photometric=str(value(dataset, "PhotometricInterpretation") or ""),
        order=order,
    )
    sizes = kind.rows > 0 and kind.columns > 0 and kind.samples in (1, 3)
    widths = (32, 64) if floating else (1, 8, 16, 32) if kind.samples == 1 else (8, 16, 32)
    bits = allocated in widths and not (floating and syntax in COMPRESSED)
    if not sizes or not bits or not 0 < kind.stored <= allocated:
        raise ReadError(
            f"pixels of {kind.rows} x {kind.columns}, {kind.samples} samples of {allocated} bits "
            f"({kind.stored} stored) are not read"
        )
    pairs = kind.samples == 3 and allocated == 8 and not kind.columns % 2
    halved = {"YBR_PARTIAL_422", "YBR_PARTIAL_420", *(() if pairs else ("YBR_FULL_422",))}
    if kind.photometric in halved and syntax in PLAIN:
        raise ReadError(f"{kind.photometric} pixels that are not compressed are not read")
    return kind
