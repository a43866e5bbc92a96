"""Gatan DigitalMicrograph files. The thumbnail that the program stores beside the images is left out.

Pixels are read row by row with ordinary reads: only the rows that are asked for, and a file that is cut short
meanwhile gives an error where a memory map would end the process.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, Probe, Region
from coverslip.readers.bounded import BoundedFile
from coverslip.readers.dm.layout import Layout, parse_layout
from coverslip.readers.dm.metadata import parse_image
from coverslip.readers.dm.tags import Order, read_tags, version_of
from coverslip.readers.opened import Opened

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

MAX_IMAGES = 10_000
COLORS = (2, 1, 0)
"""Stored blue first."""


class _Reader:
    """Opens DM3 and DM4 files."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether the file begins like a DM3 or DM4."""
        return version_of(probe.head) is not None

    def open(self, path: Path) -> Opened:
        """Read the tags, the large ones aside.

        Raises
        ------
        ReadError
            The file is cut off or damaged, or holds no image.
        """
        stream = BoundedFile(path)
        try:
            return Opened((path,), _images(path, stream), stream.close)
        except BaseException:
            stream.close()
            raise


class _Image:
    """One image of the file."""

    def __init__(self, path: Path, stream: IO[bytes], layout: Layout, order: Order, metadata: ImageMetadata) -> None:
        self._path = path
        self._stream = stream
        self._layout = layout
        self._order = order
        self.metadata = metadata

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; there is only level 0."""
        (t0, t1), (c0, c1), (z0, z1), (y0, y1), (x0, x1) = region.spans
        meta = self.metadata
        samples = (meta.samples,) if meta.samples > 1 else ()
        out: np.ndarray[Any, np.dtype[Any]] = np.empty((*region.shape, *samples), meta.dtype)
        for t in range(t0, t1):
            for c in range(c0, c1):
                for z in range(z0, z1):
                    out[t - t0, c - c0, z - z0] = self._rows(self._layout.plane(t, c, z), y0, y1)[:, x0:x1]
        return out

    def _rows(self, plane: int, y0: int, y1: int) -> "Array":
        layout, meta = self._layout, self.metadata
        row_bytes = meta.size_x * layout.pixel_bytes
        self._stream.seek(layout.pixels.offset + (plane * meta.size_y + y0) * row_bytes)
        raw = self._stream.read((y1 - y0) * row_bytes)
        if len(raw) < (y1 - y0) * row_bytes:
            raise ReadError(f"{self._path}: the file ends in the middle of its pixels; was it cut short meanwhile?")
        if layout.samples > 1:
            stored = np.frombuffer(raw, np.uint8).reshape(y1 - y0, meta.size_x, 4)
            return stored[..., COLORS if self._order == "<" else (1, 2, 3)]
        return np.frombuffer(raw, np.dtype(meta.dtype).newbyteorder(self._order)).reshape(y1 - y0, meta.size_x)


reader = _Reader()


def _images(path: Path, stream: IO[bytes]) -> tuple[_Image, ...]:
    """Return all images but the thumbnail.

    Raises
    ------
    ReadError
        There is none, or one contradicts itself.
    """
    tree, order, version = read_tags(stream, path.stat().st_size)
    listed = tree.get("ImageList")
    listed = listed if isinstance(listed, list) else []
    thumbnails = {
        entry.get("ImageIndex") for entry in tree.get("Thumbnails") or () if isinstance(entry, Mapping)
    }  # a number that names no image, or all of them, is ignored
    chosen = [image for n, image in enumerate(listed) if isinstance(image, Mapping) and n not in thumbnails] or listed
    if not chosen or len(chosen) > MAX_IMAGES or not all(isinstance(image, Mapping) for image in chosen):
        raise ReadError(f"{path}: the file holds no image, or its list of images is damaged")
    images = []
    for image in chosen:
        layout = parse_layout(image)
        about = parse_image(layout, image, tree, name=path.name, version=version)
        images.append(_Image(path, stream, layout, order, about))
    return tuple(images)
