"""Olympus OIB and OIF: one image, each plane in a TIFF of its own.

Spectral, angle and point axes are folded into the channels (C outermost). A plane that is missing is a read error,
never a black plane. The TIFFs of an OIF, opened on their own, are the plain TIFFs that they are.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, ObjectiveInfo, Probe, Region
from coverslip.readers.oif.settings import (
    Layout,
    first_properties,
    parse_acquired_at,
    parse_channels,
    parse_layout,
    parse_microscope,
    parse_objective,
    parse_pixel_sizes,
    parse_time_increment,
    parse_vendor,
)
from coverslip.readers.oif.storage import COMPOUND_MAGIC, Oib, Oif, Storage, read_settings
from coverslip.readers.opened import Opened
from coverslip.readers.planes import MAX_CHANNELS, check_promise, gather
from coverslip.readers.vendor_metadata import bounded, json_document, optional

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

UTF16 = "[Acquisition Parameters Common]".encode("utf-16-le")
TEXT = b"[Acquisition Parameters Common]"
AXES_UTF16 = "[Axis 0 Parameters Common]".encode("utf-16-le")
AXES_TEXT = b"[Axis 0 Parameters Common]"
OIB_INFO = "OibInfo.txt".encode("utf-16-le")
DIRECTORY_AT = 48
"""Where a compound file says in which sector its directory begins."""
SECTOR_SHIFT_AT = 30


class _Reader:
    """Opens OIB and OIF files."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether this is Olympus' compound file or its settings. The planes on their own are plain TIFFs."""
        if probe.is_folder:
            return False
        if probe.head.startswith(COMPOUND_MAGIC):
            return _holds_oib_info(probe)
        return (probe.head.startswith(b"\xff\xfe" + UTF16) and AXES_UTF16 in probe.head) or (
            probe.head.startswith(TEXT) and AXES_TEXT in probe.head
        )

    def open(self, path: Path) -> Opened:
        """Read the settings and list the planes; no pixel is read.

        Raises
        ------
        ReadError
            The settings make no sense, or the planes are missing.
        """
        with path.open("rb") as stream:
            is_oib = stream.read(len(COMPOUND_MAGIC)) == COMPOUND_MAGIC
        storage = Oib(path) if is_oib else Oif(path)
        try:
            return Opened(storage.files, (_Image(path, storage),), storage.close)
        except BaseException:
            storage.close()
            raise


class _Image:
    """The image of a set."""

    def __init__(self, path: Path, storage: Storage) -> None:
        self._path = path
        self._storage = storage
        layout = parse_layout(storage.settings)
        if layout.length("C") * layout.folds > MAX_CHANNELS:
            raise ReadError(f"{path}: {layout.length('C')} x {layout.folds} channels are too many")
        self._planes = _planes(storage.names(), layout)
        if not self._planes:
            raise ReadError(f"{path}: none of its planes is there. Copy it again from its source, with all its files")
        self.metadata = _metadata(path, storage, layout, len(self._planes))

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; there is only level 0."""
        return gather(self.metadata, region, self._plane)

    def _plane(self, t: int, c: int, z: int) -> "Array":
        import tifffile  # noqa: PLC0415  # loaded on use, like every format library

        name = self._planes.get((t, c, z))
        if name is None:
            raise ReadError(f"{self._path}: the plane t={t} c={c} z={z} is missing. Copy the whole set again")
        content, meta = self._storage.content(name), self.metadata
        with tifffile.TiffFile(io.BytesIO(content), name=name) as tiff:
            page = tiff.pages.first
            if page.shape != (meta.size_y, meta.size_x) or page.compression != 1:
                raise ReadError(f"{self._path}: {name} is no plane of this image: {page.shape}")
            check_promise(self._path, page.nbytes, len(content))
            return page.asarray()


reader = _Reader()


def _holds_oib_info(probe: Probe) -> bool:
    """Return whether the directory of a compound file lists what every OIB has; Word writes such files too."""
    if len(probe.head) < 512:
        return False
    shift = int.from_bytes(probe.head[SECTOR_SHIFT_AT : SECTOR_SHIFT_AT + 2], "little")
    first = int.from_bytes(probe.head[DIRECTORY_AT : DIRECTORY_AT + 4], "little")
    if shift not in (9, 12):
        return False
    try:
        with probe.path.open("rb") as stream:
            stream.seek((first + 1) << shift)
            return OIB_INFO in stream.read(1 << 16)
    except OSError:
        return False


def _planes(names: Sequence[str], layout: Layout) -> Mapping[tuple[int, int, int], str]:
    """Return the name of the TIFF of each plane; the first one where two claim to be the same."""
    found: dict[tuple[int, int, int], str] = {}
    for name in sorted(names):
        place = layout.place(name)
        if place is not None:
            found.setdefault(place, name)
    return found


def _objective(storage: Storage) -> ObjectiveInfo | None:
    name = first_properties(storage.names())
    return None if name is None else parse_objective(read_settings(storage.content(name), name))


def _metadata(path: Path, storage: Storage, layout: Layout, present: int) -> ImageMetadata:
    raw = storage.settings
    x, y, z = parse_pixel_sizes(raw)
    size_c = layout.length("C") * layout.folds
    missing = layout.length("T") * size_c * layout.length("Z") - present
    folded = f"folded into channels, C outermost: {', '.join(layout.folded)}" if layout.folds > 1 else ""
    lost = f"{missing} planes are missing and cannot be read" if missing else ""
    return ImageMetadata(
        name=path.name,
        file_format=storage.file_format,
        size_t=layout.length("T"),
        size_c=size_c,
        size_z=layout.length("Z"),
        size_y=layout.length("Y"),
        size_x=layout.length("X"),
        dtype=layout.dtype,
        pixel_size_x=x,
        pixel_size_y=y,
        pixel_size_z=z if layout.length("Z") > 1 else None,
        time_increment_s=optional(lambda: parse_time_increment(raw), None),
        channels=parse_channels(raw, layout),
        objective=optional(lambda: _objective(storage), None),
        microscope=parse_microscope(raw),
        acquired_at=parse_acquired_at(raw),
        source_axes=layout.order[::-1],
        note="; ".join(filter(None, (folded, lost))) or None,
        vendor=bounded(json_document(parse_vendor(raw))),
    )
