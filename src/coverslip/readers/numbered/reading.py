"""Numbered sets of TIFFs as one image. A plane whose file is missing is a read error, never a black plane."""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ChannelInfo, ImageMetadata, Probe, Region
from coverslip.readers.listing import note_of
from coverslip.readers.members import Members
from coverslip.readers.numbered.sets import NumberedSet, set_of
from coverslip.readers.opened import Opened
from coverslip.readers.planes import MAX_CHANNELS
from coverslip.readers.registry import open_image

if TYPE_CHECKING:
    from coverslip.model.protocols import Array

MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
UNKNOWN = ChannelInfo(index=0, name="Channel 0")
DESCRIBED = 16
"""Channels of which a file is opened for what it says about them."""


class _Reader:
    """Opens any file of a numbered set as the set."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether this is a TIFF whose name and neighbours make it one of a set, see ``sets.set_of``."""
        return not probe.is_folder and probe.head.startswith(MAGIC) and set_of(probe.path) is not None

    def open(self, path: Path) -> Opened:
        """Open one file of each channel.

        Raises
        ------
        ReadError
            A file is damaged, or the set has changed meanwhile.
        """
        found = set_of(path)
        if found is None:
            raise ReadError(f"{path}: the set it belonged to has changed. Open it again")
        members = Members(partial(open_image, alone=True))
        try:
            image = _Image(path, found, members)
            return Opened((path, *(file for file in found.files if file != path)), (image,), members.close)
        except BaseException:
            members.close()
            raise


class _Image:
    """The image of a set."""

    def __init__(self, path: Path, found: NumberedSet, members: Members) -> None:
        self._path = path
        self._set = found
        self._members = members
        if found.shape[1] > MAX_CHANNELS:
            raise ReadError(f"{path}: {found.shape[1]} channels are too many")
        self.metadata = _metadata(path, found, members)

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; there is only level 0."""
        (t0, t1), (c0, c1), (z0, z1), y, x = region.spans
        meta = self.metadata
        samples = (meta.samples,) if meta.samples > 1 else ()
        out: np.ndarray[Any, np.dtype[Any]] = np.empty((*region.shape, *samples), meta.dtype)
        for t, c, z in np.ndindex(t1 - t0, c1 - c0, z1 - z0):
            out[t, c, z] = self._plane((t0 + t, c0 + c, z0 + z), Region(y=y, x=x))
        return out

    def _plane(self, spot: tuple[int, int, int], window: Region) -> "Array":
        path, meta = self._set.planes.get(spot), self.metadata
        if path is None:
            t, c, z = spot
            raise ReadError(f"{self._path}: the plane t={t} c={c} z={z} is in no file of the set. {meta.note}")
        image = self._members.image(path)
        if (image.metadata.shape[3:], image.metadata.dtype) != (meta.shape[3:], meta.dtype):
            raise ReadError(f"{path}: it has another size or type than the other files of its set")
        plane: Array = image.read(0, window)[0, 0, 0]
        return plane


reader = _Reader()


def _metadata(path: Path, found: NumberedSet, members: Members) -> ImageMetadata:
    first = members.image(path).metadata
    if first.shape[:3] != (1, 1, 1):
        raise ReadError(f"{path}: a file of a numbered set holds one plane, this one is {first.shape}")
    size_t, size_c, size_z = found.shape
    lost = f"{found.missing} of {size_t * size_c * size_z} planes are in no file" if found.missing else ""
    joined = f"{len(found.planes)} files put together by the {', '.join(found.axes)} in their names"
    return ImageMetadata.model_validate(
        {
            "name": found.name,
            "file_format": first.file_format,
            "format_variant": f"numbered {first.format_variant or 'files'}",
            "size_t": size_t,
            "size_c": size_c,
            "size_z": size_z,
            "size_y": first.size_y,
            "size_x": first.size_x,
            "samples": first.samples,
            "dtype": first.dtype,
            "pixel_size_x": first.pixel_size_x,
            "pixel_size_y": first.pixel_size_y,
            "channels": list(_channels(path, found, members)),
            "objective": first.objective,
            "microscope": first.microscope,
            "acquired_at": first.acquired_at,
            "source_axes": f"{found.axes.upper()}YX",
            "note": "; ".join(filter(None, (joined, lost, note_of(found.left_out), first.note))),
            "vendor": first.vendor,
        }
    )


def _channels(path: Path, found: NumberedSet, members: Members) -> Iterator[Mapping[str, Any]]:
    """Yield what is known of each channel: by a file of it, and by what the names call it."""
    of_channel: dict[int, Path] = {}
    for (_, c, _), file in found.planes.items():
        of_channel.setdefault(c, file)
    for c, name in enumerate(found.channels):
        is_described = c < DESCRIBED
        own = members.image(of_channel.get(c, path)).metadata.channels[0] if is_described else UNKNOWN
        stated = own.name if own.name != UNKNOWN.name else None
        yield own.model_dump() | {"index": c, "name": stated or name or f"Channel {c}"}
