"""Zeiss CZI. Every scene is an image; its mosaic tiles are laid into one frame, stored pyramids become levels.

Phases, illuminations, rotations, views and blocks are folded into the channels (C outermost). What no tile covers
is 0, and the image's note says so; a tile that should be there and is not is an error.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from math import isclose, log
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coverslip.model import CanRead, ChannelInfo, ImageMetadata, Level, OpenedFile, Probe, Region
from coverslip.readers.czi.container import check_complete
from coverslip.readers.czi.metadata import CziDocument, parse_document, step_of_stamps
from coverslip.readers.czi.subblocks import Subblocks
from coverslip.readers.czi.tiles import Frame, Tiles, frame_of
from coverslip.readers.opened import Opened
from coverslip.readers.vendor_metadata import optional

if TYPE_CHECKING:
    from czifile import CziDirectoryEntryDV, CziFile, CziImage

    from coverslip.model.protocols import Array

MAGIC = b"ZISRAWFILE"


class _Czi:
    def recognises(self, probe: Probe) -> bool:
        """Return whether the file starts as a ZISRAW container."""
        return probe.head.startswith(MAGIC)

    def open(self, path: Path) -> OpenedFile:
        """Open the file: directory and metadata document, no pixels.

        Raises
        ------
        ReadError
            The file is cut off, was never finished, or holds no image.
        """
        import czifile  # noqa: PLC0415  # heavy, and its absence must not break the other readers

        with ExitStack() as stack:
            czi = stack.enter_context(czifile.CziFile(path))
            check_complete(czi, path)
            blocks = Subblocks(czi, path)
            opened = Opened((path,), _images(czi, path, blocks), czi.close, concurrent=True)
            stack.pop_all()
        return opened


class _Scene:
    """One scene as an image."""

    def __init__(self, blocks: Subblocks, scene: "CziImage", levels: Sequence[Tiles], metadata: ImageMetadata) -> None:
        self._blocks = blocks
        self._pixel_type = scene.pixeltype
        self._levels = levels
        self.metadata = metadata

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a region; only subblocks that overlap it are read."""
        samples, is_full = self._pixel_type.samples, level == 0
        out: Array = np.zeros((*region.shape, samples), self._pixel_type.dtype)

        def load(entry: "CziDirectoryEntryDV", is_part: bool) -> tuple["Array", "Array | None"]:
            return self._blocks.load(entry, self._pixel_type, is_full=is_full, is_part=is_part)

        self._levels[level].read(region, out, load)
        return out if samples > 1 else out[..., 0]


def _images(czi: "CziFile", path: Path, blocks: Subblocks) -> list[CanRead]:
    """Return the scenes in the order of their coordinates."""
    document = parse_document(optional(czi.metadata, "") if czi.header.metadata_position else "")
    scenes: list[CanRead] = []
    for key, scene in czi.scenes.items():
        frame = frame_of(scene.directory_entries)
        name = document.scene_names.get(key) or (f"Scene {key}" if len(czi.scenes) > 1 else path.stem)
        levels = _levels(scene, frame)
        metadata = _metadata(czi, scene, levels, name=name, document=document, frame=frame)
        scenes.append(_Scene(blocks, scene, [tiles for tiles, _ in levels], metadata))
    return scenes


def _levels(scene: "CziImage", frame: Frame) -> list[tuple[Tiles, Level]]:
    """Return full resolution and every stored pyramid level that shows the whole scene."""
    height, width, depth = (frame.length(axis) for axis in "YXZ")
    full = Tiles(scene.directory_entries, frame)
    levels = [(full, Level(size_z=depth, size_y=height, size_x=width))]
    planes, coverage = full.planes(), full.coverage(height, width)
    for scale, entries in _by_scale([entry for level in scene.levels[1:] for entry in level.directory_entries]):
        tiles = Tiles(entries, frame, scale)
        rows, columns = (int(tiles.boxes[:, axis, 1].max()) for axis in (3, 4))
        fits = abs(rows - height / scale) < 2 and abs(columns - width / scale) < 2
        if not fits or not np.array_equal(tiles.planes(), planes) or tiles.coverage(rows, columns) < coverage - 0.02:
            break
        levels.append((tiles, Level(size_z=depth, size_y=rows, size_x=columns)))
    return levels


def _by_scale(
    entries: Sequence["CziDirectoryEntryDV"],
) -> list[tuple[float, list["CziDirectoryEntryDV"]]]:
    """Return pyramid subblocks by scale, finest first.

    Edge tiles are rounded to whole pixels, so their own ratio is off; each joins the nearest scale that an inner
    tile states exactly.
    """
    ratios = [max(_ratio(entry, "Y"), _ratio(entry, "X")) for entry in entries]
    exact = sorted({round(ratio) for ratio in ratios if ratio > 1.5 and isclose(ratio, round(ratio), rel_tol=1e-4)})
    groups: dict[float, list[CziDirectoryEntryDV]] = {scale: [] for scale in exact}
    for entry, ratio in zip(entries, ratios, strict=True):
        if exact and ratio > 1:
            groups[min(exact, key=lambda scale: abs(log(scale / ratio)))].append(entry)
    return list(groups.items())


def _ratio(entry: "CziDirectoryEntryDV", axis: str) -> float:
    if axis not in entry.dims:
        return 1.0
    i = entry.dims.index(axis)
    return float(entry.shape[i] / max(entry.stored_shape[i], 1))


def _metadata(
    czi: "CziFile",
    scene: "CziImage",
    levels: Sequence[tuple[Tiles, Level]],
    *,
    name: str,
    document: CziDocument,
    frame: Frame,
) -> ImageMetadata:
    """Return our metadata of one scene."""
    sizes = document.pixel_sizes
    pixel_type = scene.pixeltype
    return ImageMetadata(
        name=name,
        file_format="CZI",
        size_t=frame.length("T"),
        size_c=frame.length("C"),
        size_z=frame.length("Z"),
        size_y=frame.length("Y"),
        size_x=frame.length("X"),
        samples=pixel_type.samples,
        dtype=pixel_type.dtype.name,
        levels=tuple(level for _, level in levels),
        pixel_size_x=sizes.get("X"),
        pixel_size_y=sizes.get("Y"),
        pixel_size_z=sizes.get("Z"),
        time_increment_s=_time_increment(czi, document, frame) if frame.length("T") > 1 else None,
        channels=_channels(document.channels, frame),
        objective=document.objective,
        microscope=document.microscope,
        acquired_at=document.acquired_at,
        source_axes="".join(scene.directory_entries[0].dims[: None if pixel_type.samples > 1 else -1]),
        note=_note(levels[0][0], frame),
        vendor=document.vendor,
    )


def _channels(known: Sequence[ChannelInfo], frame: Frame) -> tuple[ChannelInfo, ...]:
    """Return a description of every channel; folded ones carry their axis in the name: ``"DAPI H3"``."""
    first, count = frame.start.get("C", 0), frame.size.get("C", 1)
    by_position = len(known) == count and first + count > len(known)
    described: list[ChannelInfo] = []
    for c in range(count):
        place = c if by_position else first + c
        info = known[place] if 0 <= place < len(known) else ChannelInfo(index=0, name=f"Channel {first + c}")
        for folds in product(*(range(frame.size[axis]) for axis in frame.folded)):
            marks = [f" {axis}{frame.start[axis] + i}" for axis, i in zip(frame.folded, folds, strict=True)]
            described.append(info.model_copy(update={"index": len(described), "name": info.name + "".join(marks)}))
    return tuple(described)


def _time_increment(czi: "CziFile", document: CziDocument, frame: Frame) -> float | None:
    """Return the time step in seconds: from the document, else from the time stamps."""
    if document.time_increment_s is not None or not czi.header.attachment_directory_position:
        return document.time_increment_s
    stamps = optional(lambda: czi.timestamps, None)
    first, count = frame.start.get("T", 0), frame.length("T")
    if stamps is None or not 0 <= first <= len(stamps) - count:
        return None
    return step_of_stamps([float(stamp) for stamp in stamps[first : first + count]])


def _note(tiles: Tiles, frame: Frame) -> str | None:
    """Return what a person should know about how the pixels were put together."""
    parts = []
    if frame.folded:
        lengths = ", ".join(f"{axis} ({frame.size[axis]})" for axis in frame.folded)
        parts.append(f"Folded into channels, C outermost: {lengths}.")
    present = tiles.planes()
    if not present.all():
        parts.append(f"{int((~present).sum())} of {present.size} planes were not recorded; their pixels are 0.")
    if tiles.coverage(frame.length("Y"), frame.length("X")) < 1:
        parts.append("Pixels that no tile covers are 0.")
    return " ".join(parts) or None


reader = _Czi()
