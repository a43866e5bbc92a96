"""Zeiss CZI. Every scene is an image; its mosaic tiles are laid into one frame, stored pyramids become levels.

Phases, illuminations, rotations, views and blocks are folded into the channels (C outermost). What no tile covers
is 0, and the image's note says so; a tile that should be there and is not is an error.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import product
from math import isclose, log
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import CanRead, ChannelInfo, ImageMetadata, Level, OpenedFile, Probe, Region
from coverslip.readers.budgets import check_piece
from coverslip.readers.czi.container import check_complete
from coverslip.readers.czi.metadata import CziDocument, parse_document, step_of_stamps
from coverslip.readers.czi.tiles import Frame, Tiles, frame_of
from coverslip.readers.opened import Opened
from coverslip.readers.vendor_metadata import optional

if TYPE_CHECKING:
    from czifile import CziDirectoryEntryDV, CziFile, CziImage

    from coverslip.model.protocols import Array

MAGIC = b"ZISRAWFILE"
PACKING = {0: 2, 1: 1000, 2: 1400, 5: 33_000, 6: 33_000}
"""How many bytes one stored byte of a subblock can become at most, by compression: none (directories round the size of
pyramid tiles up), JPEG, LZW, Zstandard with and without split bytes. JPEG-XR has no bound."""


class _Czi:
    name = "czi"
    title = "Zeiss CZI"
    extensions = (".czi",)
    package = "czifile"
    module = "czifile"

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
            opened = Opened((path,), _images(czi, path), czi.close)
            stack.pop_all()
        return opened


class _Scene:
    """One scene as an image."""

    def __init__(self, czi: "CziFile", scene: "CziImage", levels: Sequence[Tiles], metadata: ImageMetadata) -> None:
        self._czi = czi
        self._pixel_type = scene.pixeltype
        self._levels = levels
        self.metadata = metadata

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a region; only subblocks that overlap it are read."""
        samples = self._pixel_type.samples
        out: Array = np.zeros((*region.shape, samples), self._pixel_type.dtype)
        self._levels[level].read(region, out, lambda entry: self._load(entry, is_full=level == 0))
        return out if samples > 1 else out[..., 0]

    def _load(self, entry: "CziDirectoryEntryDV", *, is_full: bool) -> tuple["Array", "Array | None"]:
        """Return the pixels of one subblock in the order of its axes, in the scene's pixel type, and its mask.

        Their shape is the one that the subblock covers at its level.
        """
        from czifile import CziSubBlockSegmentData  # noqa: PLC0415

        block = entry.read_segment_data(self._czi)
        if not isinstance(block, CziSubBlockSegmentData):
            raise ReadError(f"{self._czi.filepath}: the subblock at byte {entry.file_position} was deleted")
        if block.data_offset + block.data_size > self._czi.filesize:
            raise ReadError(
                f"{self._czi.filepath}: the pixels at byte {block.data_offset} are said to take {block.data_size} "
                "bytes, which are not there: the file is truncated or damaged. Copy it again from its source"
            )
        promised = entry.stored_size * entry.dtype.itemsize
        packing = PACKING.get(int(entry.compression))
        check_piece(promised, block.data_size, packing, f"the subblock at byte {entry.file_position}")
        pixels: Array = block.data(copy=False)
        if not _is_whole(entry, pixels.shape, rounding=0 if is_full else 1):
            raise ReadError(
                f"{self._czi.filepath}: the subblock at byte {entry.file_position} holds "
                f"{pixels.shape}, the directory promises {entry.stored_shape}"
            )
        mask: Array | None = block.mask() if block.attachment_size else None
        pixels = _as_pixel_type(pixels, entry.pixel_type, self._pixel_type)
        for axis, (name, length) in enumerate(zip(entry.dims, _covered(entry, is_full=is_full), strict=True)):
            pixels = _resample(pixels, axis, length if name != "S" else pixels.shape[axis])
            if mask is not None and name in "YX":
                mask = _resample(mask, "YX".index(name), length)
        return pixels, mask


def _covered(entry: "CziDirectoryEntryDV", *, is_full: bool) -> Sequence[int]:
    """Return the shape that a subblock covers at its level."""
    shape: Sequence[int] = entry.shape if is_full else entry.stored_shape
    return shape


def _is_whole(entry: "CziDirectoryEntryDV", shape: Sequence[int], *, rounding: int) -> bool:
    """Return whether the pixels of a subblock are as many as the directory promises.

    Writers round the size of a pyramid's edge tiles up in the directory and down in the pixels.
    """
    missing = [promised - length for promised, length in zip(entry.stored_shape, shape, strict=True)]
    return all(0 <= less <= (rounding if axis in "YX" else 0) for axis, less in zip(entry.dims, missing, strict=True))


def _as_pixel_type(pixels: "Array", stored: Any, wanted: Any) -> "Array":
    """Return the pixels of a channel in the common type of all channels of its scene."""
    from czifile import CONVERT_PIXELTYPE  # noqa: PLC0415

    if stored == wanted:
        return pixels
    convert = CONVERT_PIXELTYPE.get((stored, wanted))
    converted: Array = pixels.astype(wanted.dtype) if convert is None else convert(pixels)
    return converted


def _resample(pixels: "Array", axis: int, length: int) -> "Array":
    """Return an axis at the length it covers: Airyscan stores fewer pixels than it spans, PALM more."""
    stored = pixels.shape[axis]
    return pixels if stored == length else np.take(pixels, np.arange(length) * stored // length, axis=axis)


def _images(czi: "CziFile", path: Path) -> list[CanRead]:
    """Return the scenes in the order of their coordinates."""
    document = parse_document(optional(czi.metadata, "") if czi.header.metadata_position else "")
    scenes: list[CanRead] = []
    for key, scene in czi.scenes.items():
        frame = frame_of(scene.directory_entries)
        name = document.scene_names.get(key) or (f"Scene {key}" if len(czi.scenes) > 1 else path.stem)
        levels = _levels(scene, frame)
        metadata = _metadata(czi, scene, levels, name=name, document=document, frame=frame)
        scenes.append(_Scene(czi, scene, [tiles for tiles, _ in levels], metadata))
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
