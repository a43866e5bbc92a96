"""DICOM: one file is one image. Frames are slices (Z), or moments (T) where the file says how long each one took.

Pixels are the stored values: rescale slope and intercept, windows and palettes are noted and not applied. The files of
a series are images of their own; putting them together is not done here. What the file says of a patient stays in the
vendor document.
"""

import io
import struct
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal

from coverslip.errors import ReadError
from coverslip.model import ChannelInfo, ImageMetadata, PhysicalSize, Probe, Region
from coverslip.readers.bounded import BoundedFile
from coverslip.readers.budgets import budgets, check_pages, check_piece
from coverslip.readers.dicom.frames import PixelData, Span, find_frames, find_pixels, read_spans
from coverslip.readers.dicom.metadata import (
    is_in_time,
    numbers,
    parse_acquired_at,
    parse_microscope,
    parse_slice_distance,
    parse_spacing,
    parse_time_increment,
    parse_vendor,
    value,
)
from coverslip.readers.dicom.pixels import COMPRESSED, DEFLATED, RATIO, PixelFormat, decode_frame
from coverslip.readers.opened import Opened
from coverslip.readers.planes import check_promise, gather
from coverslip.readers.vendor_metadata import bounded, json_document, optional

if TYPE_CHECKING:
    from pydicom.dataset import Dataset, FileDataset

    from coverslip.model.protocols import Array

MAGIC = b"DICM"
MAGIC_AT = 128
IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
PLAIN = {IMPLICIT, EXPLICIT, BIG_ENDIAN}
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
META_BYTES = 1 << 16


class _Reader:
    """Opens DICOM files."""

    name = "dicom"
    title = "DICOM"
    extensions = (".dicom", ".dcm")
    package = "pydicom"
    module = "pydicom"

    def recognises(self, probe: Probe) -> bool:
        """Return whether the file has DICOM's mark behind its preamble."""
        return probe.head[MAGIC_AT : MAGIC_AT + 4] == MAGIC

    def open(self, path: Path) -> Opened:
        """Read everything before the pixels, and find where each frame lies.

        Raises
        ------
        ReadError
            The file is cut off, holds no pixels, or holds pixels that are not read.
        """
        stream = BoundedFile(path)
        try:
            return Opened((path,), (_image(path, stream),), stream.close)
        except BaseException:
            stream.close()
            raise


def _image(path: Path, stream: IO[bytes]) -> "_Image":
    """Return the image of an open file; every element before the pixels is read."""
    import pydicom  # noqa: PLC0415  # its absence must not break the other readers

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE  # odd values are no reason to warn
    unpacked = _inflated(path)
    if unpacked:
        stream = io.BytesIO(unpacked)
    dataset = pydicom.dcmread(stream, stop_before_pixels=True)
    return _Image(path, stream, dataset, str(dataset.file_meta.get("TransferSyntaxUID", "")))


class _Image:
    """The image of a DICOM file."""

    def __init__(self, path: Path, stream: IO[bytes], dataset: "FileDataset", syntax: str) -> None:
        self._path = path
        self._stream = stream
        if syntax not in PLAIN | COMPRESSED:
            raise ReadError(f"{path}: pixels in the transfer syntax {syntax or '(none stated)'} are not read")
        if value(dataset, "SOPClassUID") == WHOLE_SLIDE:
            raise ReadError(f"{path}: whole slides in DICOM are not read. Convert it to OME-TIFF or OME-Zarr")
        order: Literal["<", ">"] = ">" if syntax == BIG_ENDIAN else "<"
        pixels = find_pixels(stream, implicit=syntax == IMPLICIT, order=order)
        self._kind = _pixel_format(dataset, syntax, order)
        count = int(next(iter(numbers(dataset, "NumberOfFrames")), 1)) or 1
        if count < 1:
            raise ReadError(f"{path}: {count} frames cannot be")
        check_pages(count, "frames")
        self._pixels = pixels
        self._frames = self._find_frames(pixels, count)
        self._in_time = is_in_time(dataset)
        self.metadata = _metadata(path, dataset, self._kind, count, in_time=self._in_time)

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; there is only level 0."""
        return gather(self.metadata, region, lambda t, _c, z: self._frame(t if self._in_time else z))

    def _find_frames(self, pixels: PixelData, count: int) -> list[list[Span]]:
        """Return the fragments of compressed frames, nothing for others."""
        kind = self._kind
        frame_bytes = -(-kind.frame_bits // 8)
        if pixels.encapsulated != (kind.syntax in COMPRESSED):
            raise ReadError(f"{self._path}: the transfer syntax and the pixels contradict each other")
        if not pixels.encapsulated:
            check_promise(self._path, -(-kind.frame_bits * count // 8), pixels.length)
            return []
        frames = find_frames(self._stream, pixels, count)
        smallest = min(sum(length for _, length in spans) for spans in frames)
        check_promise(self._path, frame_bytes, smallest, RATIO)
        return frames

    def _frame(self, index: int) -> "Array":
        kind = self._kind
        if self._frames:
            return decode_frame(kind, read_spans(self._stream, self._frames[index]))
        first = index * kind.frame_bits
        if first % 8:
            raise ReadError(f"{self._path}: frames of single bits that begin within a byte are not read")
        span = (self._pixels.start + first // 8, -(-kind.frame_bits // 8))
        return decode_frame(kind, read_spans(self._stream, [span]))


reader = _Reader()


def _pixel_format(dataset: "Dataset", syntax: str, order: Literal["<", ">"]) -> PixelFormat:
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
        stored=whole("BitsStored", allocated),
        signed=whole("PixelRepresentation", 0) == 1,
        floating=False,
        by_plane=whole("PlanarConfiguration", 0) == 1,
        photometric=str(value(dataset, "PhotometricInterpretation") or ""),
        order=order,
    )
    sizes = kind.rows > 0 and kind.columns > 0 and kind.samples in (1, 3)
    bits = allocated in ((8, 16, 32) if kind.samples == 1 else (8, 16)) or (allocated == 1 and kind.samples == 1)
    if not sizes or not bits or not 0 < kind.stored <= allocated:
        raise ReadError(
            f"pixels of {kind.rows} x {kind.columns}, {kind.samples} samples of {allocated} bits "
            f"({kind.stored} stored) are not read"
        )
    if kind.photometric in {"YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420"} and syntax in PLAIN:
        raise ReadError(f"{kind.photometric} pixels that are not compressed are not read")
    return kind


def _metadata(path: Path, dataset: "Dataset", kind: PixelFormat, count: int, *, in_time: bool) -> ImageMetadata:
    unknown: tuple[PhysicalSize | None, PhysicalSize | None] = (None, None)
    x, y = optional(lambda: parse_spacing(dataset), unknown)
    return ImageMetadata(
        name=path.name,
        file_format="DICOM",
        format_variant=str(value(dataset, "Modality") or "") or None,
        size_t=count if in_time else 1,
        size_z=1 if in_time else count,
        size_y=kind.rows,
        size_x=kind.columns,
        samples=kind.samples,
        dtype=kind.dtype,
        pixel_size_x=x,
        pixel_size_y=y,
        pixel_size_z=optional(lambda: parse_slice_distance(dataset), None) if count > 1 and not in_time else None,
        time_increment_s=optional(lambda: parse_time_increment(dataset), None) if count > 1 and in_time else None,
        channels=(ChannelInfo(index=0, name="RGB"),) if kind.samples == 3 else (),
        microscope=optional(lambda: parse_microscope(dataset), None),
        acquired_at=optional(lambda: parse_acquired_at(dataset), None),
        source_axes=("IYX" if count > 1 else "YX") + ("S" if kind.samples == 3 else ""),
        note="; ".join(_notes(dataset, kind, count, in_time=in_time)) or None,
        vendor=bounded(json_document({"transfer_syntax": kind.syntax, **parse_vendor(dataset)})),
    )


def _notes(dataset: "Dataset", kind: PixelFormat, count: int, *, in_time: bool) -> list[str]:
    notes = []
    slope, intercept = numbers(dataset, "RescaleSlope") or [1.0], numbers(dataset, "RescaleIntercept") or [0.0]
    if (slope[0], intercept[0]) != (1.0, 0.0):
        notes.append(f"stored values; real ones are {slope[0]:g} x value + {intercept[0]:g}")
    if kind.photometric == "MONOCHROME1":
        notes.append("meant to be shown inverted (MONOCHROME1)")
    if kind.photometric == "PALETTE COLOR":
        notes.append("pixels are places in a palette, which is not applied")
    if count > 1:
        notes.append("frames are time points" if in_time else "frames are slices")
    return notes


def _inflated(path: Path) -> bytes:
    """Return a deflated file unpacked and marked so, nothing for other files. pydicom would unpack without a bound.

    Raises
    ------
    ReadError
        The packed part is damaged or cut off.
    BudgetError
        It grows beyond what is unpacked as a whole.
    """
    with path.open("rb") as stream:
        start = stream.read(META_BYTES)
        behind = _end_of_meta(start)
        if behind is None or DEFLATED.encode() not in start[:behind]:
            return b""
        unpack = zlib.decompressobj(-zlib.MAX_WBITS)
        stream.seek(behind)
        try:
            content = unpack.decompress(packed := stream.read(), budgets().plane_bytes + 1)
        except zlib.error as error:
            raise ReadError(f"{path}: the packed part is damaged: {error}") from error
        check_piece(len(content), len(packed), None, "the deflated part")
        if not unpack.eof:
            raise ReadError(f"{path}: the packed part ends early: the file is truncated. Copy it again from its source")
        return start[:behind].replace(_uid(DEFLATED), _uid(EXPLICIT, len(DEFLATED))) + content


def _uid(text: str, length: int = 0) -> bytes:
    """Return a UID as it is stored, filled up to an even length."""
    length = max(length, len(text))
    return text.encode().ljust(length + length % 2, b"\0")


def _end_of_meta(start: bytes) -> int | None:
    """Return where the file meta information ends: its first element says how long it is."""
    place = MAGIC_AT + 4
    if start[place : place + 6] != b"\x02\x00\x00\x00UL":
        return None
    (length,) = struct.unpack_from("<I", start, place + 8)
    return place + 12 + int(length)
