"""A folder of TIFFs, one for each channel of a field of view, as one image with labels and a cell table.

This is how mass-spectrometry and cyclic imaging store fields of view: MIBI, IMC, CODEX. Pixel sizes are those that the
first channel states; where it states none, they are unknown.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.errors import ImageLoadError, ReadError, UnreadableFileError
from coverslip.model import Cell, ImageMetadata, Probe, Region, TableInfo
from coverslip.readers.fov.folders import (
    Plane,
    channels_of,
    field_of_mask,
    is_field,
    links_out,
    masks_of,
    tables_of,
)
from coverslip.readers.fov.labels import Labels
from coverslip.readers.fov.table import rows_of, table_of
from coverslip.readers.listing import note_of
from coverslip.readers.members import Members
from coverslip.readers.opened import Opened
from coverslip.readers.planes import MAX_CHANNELS
from coverslip.readers.registry import open_image
from coverslip.readers.tiff_outline import outline

if TYPE_CHECKING:
    from coverslip.model.protocols import Array
    from coverslip.readers.image import Image


class _Reader:
    """Opens folders of one field of view each."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether the TIFFs of a folder are the channels of one field of view, see ``folders.is_field``."""
        return probe.is_folder and is_field(probe.path, is_named=probe.is_named)

    def whole_of(self, path: Path) -> Path | None:
        """Return the field of view that a TIFF is a mask of."""
        return field_of_mask(path)

    def open(self, path: Path) -> Opened:
        """Open the first channel and the masks, and look at the headers of the other channels.

        Raises
        ------
        ReadError
            A channel is damaged, or of another size or type than the first one.
        """
        members = Members(partial(open_image, alone=True))
        try:
            image = _Image(path, members)
            return Opened((path, *image.files), (image,), members.close)
        except BaseException:
            members.close()
            raise


class _Image:
    """A field of view."""

    def __init__(self, folder: Path, members: Members) -> None:
        self._field = folder.name
        self._members = members
        self._channels = channels_of(folder)
        if not 0 < len(self._channels) <= MAX_CHANNELS:
            raise ReadError(f"{folder}: {len(self._channels)} TIFFs cannot be the channels of an image")
        bare = _metadata(folder, self._channels, members.image(self._channels[0].path).metadata)
        self.labels, notes = _labels(folder, bare, members)
        masks = (Path(one.info.path) for one in self.labels)
        self.files = (*(plane.path for plane in self._channels), *masks)
        self._table, table_note = _table(folder)
        notes = [*filter(None, (bare.note, table_note, note_of(links_out(folder)))), *notes]
        self.metadata = bare.model_copy(
            update={
                "labels": tuple(one.info for one in self.labels),
                "table": self._table,
                "note": "; ".join(notes) or None,
            }
        )

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region; there is only level 0."""
        (c0, c1), y, x = region.spans[1], region.spans[3], region.spans[4]
        meta = self.metadata
        if c1 - c0 == 1:  # as it is: planes are large, and a copy takes as long as reading them
            return self._channel(c0).read(0, Region(y=y, x=x))
        out: Array = np.empty(region.shape, meta.dtype)
        for c in range(c0, c1):
            out[:, c - c0 : c - c0 + 1] = self._channel(c).read(0, Region(y=y, x=x))
        return out

    def _channel(self, c: int) -> "Image":
        channel, meta = self._members.image(self._channels[c].path), self.metadata
        if channel.metadata.shape != (1, 1, 1, meta.size_y, meta.size_x) or channel.metadata.dtype != meta.dtype:
            raise ReadError(f"{self._channels[c].path}: it has another size or type than the other channels")
        return channel

    def rows(self) -> Iterator[Mapping[str, Cell]]:
        """Yield the rows of the cell table that are of this field of view."""
        if self._table is not None:
            yield from rows_of(Path(self._table.path), self._field)


reader = _Reader()


def _metadata(folder: Path, channels: Sequence[Plane], first: ImageMetadata) -> ImageMetadata:
    """Return the metadata of a field of view without labels and table, from its first channel."""
    own = outline(channels[0].path)
    for plane in channels:
        other = outline(plane.path)
        if other is None:
            raise ReadError(f"{plane.path}: its header cannot be read; it is damaged. Copy it again from its source")
        if own is None or other.kind != own.kind:
            raise ReadError(f"{plane.path}: it has another size or type than {channels[0].path.name}")
    if first.shape != (1, 1, 1, first.size_y, first.size_x):
        raise ReadError(f"{channels[0].path}: a channel is one plane, this is {first.shape}")
    inner = channels[0].path.parent.name if channels[0].path.parent != folder else None
    return ImageMetadata.model_validate(
        {
            "name": folder.name or str(folder),
            "file_format": "TIFF",
            "format_variant": "FOV folder",
            "size_c": len(channels),
            "size_y": first.size_y,
            "size_x": first.size_x,
            "dtype": first.dtype,
            "pixel_size_x": first.pixel_size_x,
            "pixel_size_y": first.pixel_size_y,
            "channels": [{"index": index, "name": plane.name} for index, plane in enumerate(channels)],
            "acquired_at": first.acquired_at,
            "source_axes": "CYX",
            "note": f"channels are the TIFFs in {inner}" if inner else None,
            "vendor": {"FOV": {"channels": [str(plane.path.relative_to(folder)) for plane in channels]}},
        }
    )


def _labels(folder: Path, field: ImageMetadata, members: Members) -> tuple[tuple[Labels, ...], list[str]]:
    """Return the label images, and a note about each mask that is none."""
    found, notes = [], []
    for mask in masks_of(folder):
        image = partial(members.image, mask.path)
        try:
            found.append(Labels(mask, image().metadata, field, image))
        except UnreadableFileError:  # a disk in trouble is no broken mask
            raise
        except ImageLoadError as error:
            notes.append(f"the mask {mask.path.name} cannot be read: {error}")
        except ValueError as error:
            notes.append(f"{mask.path.name} is no mask of it: it {error}")
    return tuple(found), notes


def _table(folder: Path) -> tuple[TableInfo | None, str | None]:
    """Return the cell table, and a note where a file that is called so is none."""
    note = None
    for path in tables_of(folder):
        try:
            return table_of(path, folder.name), None
        except (ValueError, OSError) as error:
            note = f"{path.name} is not its cell table: it {error}"
    return None, note
