"""Which frame of which file is which tile of a whole slide. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from coverslip.errors import ReadError
from coverslip.readers.dicom.instance import Instance
from coverslip.readers.dicom.metadata import numbers, value
from coverslip.readers.vendor_metadata import BROKEN

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_SIDE = 1 << 31
DEPTH_DIGITS = 6
"""Focal planes are told apart to this many decimals of a micrometre."""

Tile = tuple[str, float, int, int]
"""Optical path, depth in micrometres, and the column and row of the first pixel, from 0."""


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a slide: tiles of one level."""

    instance: Instance
    dataset: "Dataset"
    flavor: str
    """``VOLUME``, ``THUMBNAIL``, ``LABEL`` or ``OVERVIEW``."""
    width: int
    height: int
    tiles: tuple[Tile, ...]
    """One for each frame."""
    is_full: bool
    """Whether there has to be a tile everywhere; else what has none was empty."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Identifiers of the optical paths, in the order of the frames."""
        return tuple(dict.fromkeys(path for path, *_ in self.tiles))

    @property
    def depths(self) -> set[float]:
        """Depths of the focal planes in micrometres."""
        return {depth for _, depth, *_ in self.tiles}


@dataclass(frozen=True, slots=True)
class Grid:
    """One level: tiles of one size, without overlap."""

    width: int
    height: int
    columns: int
    """Pixels of a tile."""
    rows: int
    tiles: Mapping[tuple[int, int, int, int], tuple[Instance, int]]
    """(channel, focal plane, row, column of the tile) -> file and frame."""
    background: int
    """What is shown where no tile was stored."""
    missing: int


def parse_part(instance: Instance, dataset: "Dataset") -> Part:
    """Return where the frames of a file belong.

    Raises
    ------
    ReadError
        It does not say so, or contradicts itself.
    """
    kind = instance.kind
    width = _whole(dataset, "TotalPixelMatrixColumns", kind.columns)
    height = _whole(dataset, "TotalPixelMatrixRows", kind.rows)
    if not (0 < width < MAX_SIDE and 0 < height < MAX_SIDE):
        raise ReadError(f"{instance.path}: a slide of {width} x {height} pixels is not read")
    listed = value(dataset, "ImageType")
    types = list(listed) if listed is not None and not isinstance(listed, str) else []
    each = value(dataset, "PerFrameFunctionalGroupsSequence")
    full = value(dataset, "DimensionOrganizationType") == "TILED_FULL" or not each
    tiles = _full(instance, dataset, width, height) if full else _sparse(instance, dataset, each)
    return Part(instance, dataset, str(types[2]) if len(types) > 2 else "VOLUME", width, height, tuple(tiles), full)


def optical_paths(dataset: "Dataset") -> "list[Dataset]":
    """Return the descriptions of the optical paths."""
    return list(value(dataset, "OpticalPathSequence") or ())


def make_grid(parts: Sequence[Part], paths: Sequence[str], depths: Sequence[float]) -> Grid:
    """Return the level that some files of one size make.

    Raises
    ------
    ReadError
        Their tiles are of different sizes, or do not lie on a grid within the image.
    """
    first = parts[0]
    kind = first.instance.kind
    tiles: dict[tuple[int, int, int, int], tuple[Instance, int]] = {}
    for part in parts:
        if (part.instance.kind.rows, part.instance.kind.columns) != (kind.rows, kind.columns):
            raise ReadError(f"{part.instance.path}: tiles of several sizes in one level are not read")
        for frame, (path, depth, x, y) in enumerate(part.tiles):
            if x % kind.columns or y % kind.rows or not (0 <= x < part.width and 0 <= y < part.height):
                raise ReadError(f"{part.instance.path}: a tile at {x}, {y} lies on no grid; such slides are not read")
            place = (paths.index(path), depths.index(depth), y // kind.rows, x // kind.columns)
            tiles[place] = (part.instance, frame)
    count = len(paths) * len(depths) * -(-first.width // kind.columns) * -(-first.height // kind.rows)
    if count != len(tiles) and any(part.is_full for part in parts):
        raise ReadError(
            f"{first.instance.path}: {count - len(tiles)} of {count} tiles of the level of {first.width} x "
            f"{first.height} are missing: files of the slide are not there. Copy its whole folder"
        )
    background = (1 << kind.stored) - 1 if kind.samples == 3 and not kind.signed else 0
    return Grid(first.width, first.height, kind.columns, kind.rows, tiles, background, count - len(tiles))


def _full(instance: Instance, dataset: "Dataset", width: int, height: int) -> list[Tile]:
    """Return the tiles in their implied order: along rows, then down, then through the focus, then by path."""
    kind = instance.kind
    across, down = -(-width // kind.columns), -(-height // kind.rows)
    named = [str(value(item, "OpticalPathIdentifier") or "") for item in optical_paths(dataset)]
    planes = _whole(dataset, "TotalPixelMatrixFocalPlanes", 1)
    paths = _whole(dataset, "NumberOfOpticalPaths", max(1, len(named)))
    named = named if len(named) == paths else [str(n) for n in range(paths)]
    offset = _whole(dataset, "ConcatenationFrameOffsetNumber", 0)
    total = across * down * planes * paths
    if planes < 1 or paths < 1 or offset < 0 or offset + instance.count > total:
        raise ReadError(
            f"{instance.path}: {instance.count} frames from {offset} on, where {across} x {down} tiles, {planes} focal "
            f"planes and {paths} optical paths make {total}"
        )
    if offset + instance.count < total and value(dataset, "ConcatenationUID") is None:
        raise ReadError(f"{instance.path}: {instance.count} frames where the slide has {total}")
    base, step = _base_depth(dataset), _depth_step(dataset)
    found = []
    for n in range(offset, offset + instance.count):
        rest, column = divmod(n, across)
        rest, row = divmod(rest, down)
        path, plane = divmod(rest, planes)
        depth = round(base + plane * step, DEPTH_DIGITS)
        found.append((named[path], depth, column * kind.columns, row * kind.rows))
    return found


def _sparse(instance: Instance, dataset: "Dataset", each: "Sequence[Dataset]") -> list[Tile]:
    if len(each) != instance.count:
        raise ReadError(f"{instance.path}: {len(each)} descriptions of {instance.count} frames")
    shared = value(dataset, "SharedFunctionalGroupsSequence")
    common = _path_of(shared[0]) if shared else None
    listed = optical_paths(dataset)
    only = str(value(listed[0], "OpticalPathIdentifier") or "") if listed else ""
    try:
        return [_tile(groups, common or only) for groups in each]
    except BROKEN as error:
        raise ReadError(f"{instance.path}: a frame does not say where on the slide it lies: {error}") from error


def _tile(groups: "Dataset", default: str) -> Tile:
    place = groups.PlanePositionSlideSequence[0]
    depth = next(iter(numbers(place, "ZOffsetInSlideCoordinateSystem")), 0.0)
    return (
        _path_of(groups) or default,
        round(depth, DEPTH_DIGITS),
        int(place.ColumnPositionInTotalImagePixelMatrix) - 1,
        int(place.RowPositionInTotalImagePixelMatrix) - 1,
    )


def _path_of(groups: "Dataset") -> str | None:
    listed = value(groups, "OpticalPathIdentificationSequence")
    return str(value(listed[0], "OpticalPathIdentifier") or "") if listed else None


def _base_depth(dataset: "Dataset") -> float:
    """Return the depth of the first focal plane in micrometres."""
    origin = value(dataset, "TotalPixelMatrixOriginSequence")
    return next(iter(numbers(origin[0], "ZOffsetInSlideCoordinateSystem")), 0.0) if origin else 0.0


def _depth_step(dataset: "Dataset") -> float:
    """Return the micrometres between focal planes; DICOM states millimetres. Without it they are numbered."""
    shared = value(dataset, "SharedFunctionalGroupsSequence")
    try:
        stated = numbers(shared[0].PixelMeasuresSequence[0], "SpacingBetweenSlices") if shared else []
    except BROKEN:
        stated = []
    return stated[0] * 1000 if stated and stated[0] > 0 else 1.0


def _whole(dataset: "Dataset", keyword: str, default: int) -> int:
    return int(next(iter(numbers(dataset, keyword)), default))
