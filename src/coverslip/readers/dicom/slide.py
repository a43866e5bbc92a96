"""Whole slides: the instances of a series are the levels of one pyramid; label and overview are images of their own.

Optical paths are channels, focal planes are Z. Format: DICOM PS3.3 A.32.8, C.8.12.4 (whole slide microscopy image),
C.7.6.17.3 (order of tiles in TILED_FULL), C.8.12.6.1 (plane position of tiles).
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import CanRead, ChannelInfo, ImageMetadata, Level, ObjectiveInfo, PhysicalSize, Region
from coverslip.readers.bounded import BoundedFile
from coverslip.readers.dicom.folder import members
from coverslip.readers.dicom.images import describe, series_name
from coverslip.readers.dicom.instance import Frames, Instance, parse_instance
from coverslip.readers.dicom.metadata import numbers, value
from coverslip.readers.dicom.opening import read_header
from coverslip.readers.dicom.tiles import Grid, Part, make_grid, optical_paths, parse_part
from coverslip.readers.vendor_metadata import BROKEN, number, positive, words

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

    from coverslip.model.protocols import Array

MAX_PARTS = 4096
OWN_IMAGES = ("LABEL", "OVERVIEW")
SAME_SHAPE = 0.02
"""How much the sides of a level may differ in what they were shrunk by; levels are rounded to whole pixels."""


class SlideImage:
    """A pyramid of tiles."""

    def __init__(self, frames: Frames, grids: Sequence[Grid], metadata: ImageMetadata) -> None:
        self._frames = frames
        self._grids = grids
        self.metadata = metadata

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region of one level; only its tiles are decoded."""
        grid = self._grids[level]
        (t0, t1), (c0, c1), (z0, z1), (y0, y1), (x0, x1) = region.spans
        samples = (self.metadata.samples,) if self.metadata.samples > 1 else ()
        shape = (t1 - t0, c1 - c0, z1 - z0, y1 - y0, x1 - x0, *samples)
        out: np.ndarray[Any, np.dtype[Any]] = np.full(shape, grid.background, self.metadata.dtype)
        for row in range(y0 // grid.rows, -(-y1 // grid.rows)):
            for column in range(x0 // grid.columns, -(-x1 // grid.columns)):
                top, left = row * grid.rows, column * grid.columns
                y, x = (max(y0, top), min(y1, top + grid.rows)), (max(x0, left), min(x1, left + grid.columns))
                for c in range(c0, c1):
                    for z in range(z0, z1):
                        place = grid.tiles.get((c, z, row, column))
                        if place is not None:
                            tile = self._frames.frame(*place)[y[0] - top : y[1] - top, x[0] - left : x[1] - left]
                            out[0, c - c0, z - z0, y[0] - y0 : y[1] - y0, x[0] - x0 : x[1] - x0] = tile
        return out


def slide_images(
    opened: Instance, dataset: "Dataset", frames: Frames
) -> "tuple[tuple[Path, ...], tuple[CanRead, ...]]":
    """Return the files and images of the slide that a file belongs to: the pyramid, then label and overview.

    Raises
    ------
    ReadError
        The tiles of the files do not make an image.
    """
    own = parse_part(opened, dataset)
    series = str(value(dataset, "SeriesInstanceUID") or "")
    others = members(opened.path, series) if series else []
    paths = [item.path for item in others if item.is_slide and item.path != opened.path]
    if len(paths) > MAX_PARTS:
        raise ReadError(f"{opened.path}: a slide of {len(paths)} files is not read")
    parts = sorted([own, *(_part(path) for path in paths)], key=lambda part: part.instance.path)
    for part in parts:
        frames.find(part.instance)
    name = series_name(dataset, opened.path.parent)
    volume = [part for part in parts if part.flavor not in OWN_IMAGES]
    images = [_pyramid(frames, volume, name)] if volume else []
    for flavor in OWN_IMAGES:
        for n, part in enumerate([part for part in parts if part.flavor == flavor]):
            images.append(_pyramid(frames, [part], flavor.lower() + (f" {n + 1}" if n else "")))
    return tuple(part.instance.path for part in parts), tuple(images)


def _part(path: Path) -> Part:
    with BoundedFile(path) as stream:
        dataset, syntax = read_header(path, stream)
        return parse_part(parse_instance(path, stream, dataset, syntax), dataset)


def _pyramid(frames: Frames, parts: Sequence[Part], name: str) -> SlideImage:
    """Return one image of all parts, those of one size being one level."""
    sizes = sorted({(part.width, part.height) for part in parts}, reverse=True)
    largest = [part for part in parts if (part.width, part.height) == sizes[0]]
    paths = _in_order(largest)
    depths = sorted({depth for part in largest for depth in part.depths})
    grids, notes = [], []
    for size in sizes:
        of_size = [part for part in parts if (part.width, part.height) == size]
        reason = _differs(of_size[0], largest[0], size, sizes[0])
        if not reason and (
            {path for part in of_size for path in part.paths} != set(paths)
            or {depth for part in of_size for depth in part.depths} != set(depths)
        ):
            reason = "it has other optical paths or focal planes"
        if reason:
            notes.append(f"the level of {size[0]} x {size[1]} is left out: {reason}")
        else:
            grids.append(make_grid(of_size, paths, depths))
    first = largest[0]
    missing = sum(grid.missing for grid in grids)
    if missing:
        notes.append(f"{missing} tiles were not stored and are shown as background ({grids[0].background})")
    channels = tuple(_channel(parts, path, c, color=first.instance.kind.samples == 3) for c, path in enumerate(paths))
    return SlideImage(frames, grids, _metadata(first, grids, channels, depths, name, notes))


def _in_order(parts: Sequence[Part]) -> list[str]:
    """Return the optical paths as a file that describes them all lists them; of files with one each, by identifier."""
    used = {path for part in parts for path in part.paths}
    for part in parts:
        listed = [str(value(item, "OpticalPathIdentifier") or "") for item in optical_paths(part.dataset)]
        if used <= set(listed):
            return [path for path in dict.fromkeys(listed) if path in used]
    return sorted(used, key=lambda path: (len(path), path))


def _differs(part: Part, first: Part, size: tuple[int, int], largest: tuple[int, int]) -> str:
    """Return why a level cannot be one of the pyramid, nothing where it can."""
    kind, wanted = part.instance.kind, first.instance.kind
    if (kind.dtype, kind.samples) != (wanted.dtype, wanted.samples):
        return "its pixels are of another type"
    across, down = largest[0] / size[0], largest[1] / size[1]
    rounding = across / size[0] + down / size[1]
    if abs(across - down) > SAME_SHAPE * across + rounding:
        return "it has another shape"
    return ""


def _metadata(
    part: Part,
    grids: Sequence[Grid],
    channels: tuple[ChannelInfo, ...],
    depths: Sequence[float],
    name: str,
    notes: list[str],
) -> ImageMetadata:
    dataset, kind = part.dataset, part.instance.kind
    x, y = _pixel_size(dataset, part)
    steps = sorted({round(after - before, 6) for before, after in pairwise(depths)})
    return describe(
        dataset,
        kind,
        name=name,
        size_c=len(channels),
        size_z=len(depths),
        size_y=part.height,
        size_x=part.width,
        levels=tuple(Level(size_z=len(depths), size_y=grid.height, size_x=grid.width) for grid in grids),
        pixel_size_x=x,
        pixel_size_y=y,
        pixel_size_z=PhysicalSize.known(steps[0], "um") if len(steps) == 1 else None,
        channels=channels,
        objective=_objective(dataset),
        source_axes="CZYX" + ("S" if kind.samples == 3 else ""),
        note="; ".join(notes) or None,
    )


def _pixel_size(dataset: "Dataset", part: Part) -> tuple[PhysicalSize | None, PhysicalSize | None]:
    """Return X and Y: the pixel measures, else the imaged volume over the pixels."""
    shared = value(dataset, "SharedFunctionalGroupsSequence")
    try:
        spacing = numbers(shared[0].PixelMeasuresSequence[0], "PixelSpacing") if shared else []
    except BROKEN:
        spacing = []
    if len(spacing) == 2:
        return PhysicalSize.known(spacing[1], "mm"), PhysicalSize.known(spacing[0], "mm")
    across, down = numbers(dataset, "ImagedVolumeWidth"), numbers(dataset, "ImagedVolumeHeight")
    return (
        PhysicalSize.known(across[0] / part.width if across else None, "mm"),
        PhysicalSize.known(down[0] / part.height if down else None, "mm"),
    )


def _optical_path(parts: Sequence[Part], identifier: str) -> "Dataset | None":
    for item in (item for part in parts for item in optical_paths(part.dataset)):
        if str(value(item, "OpticalPathIdentifier") or "") == identifier:
            found: Dataset = item
            return found
    return None


def _channel(parts: Sequence[Part], identifier: str, index: int, *, color: bool) -> ChannelInfo:
    item = _optical_path(parts, identifier)
    named = words(value(item, "OpticalPathDescription")) if item is not None else None
    wave = next(iter(numbers(item, "IlluminationWaveLength")), None) if item is not None else None
    return ChannelInfo(
        index=index,
        name=named or ("RGB" if color else identifier) or f"Channel {index}",
        excitation_wavelength_nm=positive(wave),
    )


def _objective(dataset: "Dataset") -> ObjectiveInfo | None:
    for item in optical_paths(dataset):
        found = ObjectiveInfo(
            magnification=positive(next(iter(numbers(item, "ObjectiveLensPower")), None)),
            numerical_aperture=number(next(iter(numbers(item, "ObjectiveLensNumericalAperture")), None)),
        )
        return found if found != ObjectiveInfo() else None
    return None
