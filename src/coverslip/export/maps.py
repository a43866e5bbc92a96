"""Stitched maps: fields of view at their places on one canvas, as descriptor files of the reference say.

A descriptor is ``.UELer/maps/**/*.json``: ``{"fovs": [{"name", "slideId", "centerPointMicrons": {"x", "y"},
"frameSizePixels": {"width", "height"}, "fovSizeMicrons"}, ...]}``. Each slide is a map. Fields of view are only moved,
never turned; y grows downwards; later ones lie over earlier ones. All of a map have pixels of one size, and lie at
whole pixels of the canvas, whose corner is that of the rectangle around them all.
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coverslip.errors import ReadError, UnreadableFileError
from coverslip.export.sources import MAX_STATE_BYTES, STATE_FOLDER

MAPS = "maps"
MAX_FILES = 1000
MAX_TILES = 100_000
MAX_SIDE = 1 << 31
"""Pixels of a canvas along either side."""
SAME_SIZE = 1e-3
"""By how much of itself the size of a pixel may differ in a map: what descriptors round off."""
TURNED = frozenset({"rotation", "transform", "affine", "matrix", "centerPointPixels"})
"""What says that a field of view is not merely moved, or moved in another unit."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A field of view on the canvas."""

    fov: str
    x: int
    """Column of its first pixel."""
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class StitchedMap:
    """One map."""

    map_id: str
    path: Path
    """Of its descriptor."""
    number: int
    """Which of the maps in that file."""
    tiles: tuple[Tile, ...]
    """Later ones lie over earlier ones."""
    width: int
    height: int
    pixel_um: float


def maps_beside(place: Path) -> tuple[Mapping[str, StitchedMap], tuple[str, ...]]:
    """Return the maps beside fields of view by name, and what is wrong with descriptors that cannot be used.

    A descriptor counts as a whole or not at all: of a map with a field of view that cannot be placed there is none. Nor
    is there one of a name that two files have.
    """
    found: dict[str, StitchedMap] = {}
    problems: list[str] = []
    twice: set[str] = set()
    for path in _files(place):
        try:
            for one in read_maps(path):
                if one.map_id in found:
                    twice.add(one.map_id)
                    problems.append(f"{path}: the map {one.map_id!r} is in {found[one.map_id].path} too")
                found[one.map_id] = one
        except ReadError as error:
            problems.append(str(error))
    return {name: one for name, one in found.items() if name not in twice}, tuple(problems)


def read_maps(path: Path) -> list[StitchedMap]:
    """Return the maps of a descriptor in the order of their first fields of view.

    Raises
    ------
    ReadError
        It is no descriptor, or one with fields of view that are turned, overlarge, or of different pixels.
    UnreadableFileError
        It cannot be read.
    """
    try:
        if path.stat().st_size > MAX_STATE_BYTES:
            raise ReadError(f"{path}: it has more than {MAX_STATE_BYTES >> 20} MiB")
        document = json.loads(path.read_bytes())
        entries = document["fovs"]
        if not isinstance(entries, list) or not entries or len(entries) > MAX_TILES:
            raise ReadError(f"{path}: a map has 1 to {MAX_TILES:,} fields of view")
        slides: dict[str, list[_Placed]] = {}
        for entry in entries:
            slide, placed = _placed(entry)
            slides.setdefault(slide, []).append(placed)
        return [_map(path, n, slide, placed) for n, (slide, placed) in enumerate(slides.items())]
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        if isinstance(error, ReadError):
            raise
        said = f"there is no {error}" if isinstance(error, KeyError) else str(error)
        raise ReadError(f"{path}: it is no descriptor of a map: {said}") from error


@dataclass(frozen=True, slots=True)
class _Placed:
    fov: str
    center: tuple[float, float]
    """x and y in micrometres."""
    size: tuple[int, int]
    """Width and height in pixels."""
    pixel_um: float


def _files(place: Path) -> Iterator[Path]:
    for folder in (place, *place.parents[:2]):
        maps = folder / STATE_FOLDER / MAPS
        if maps.is_dir():
            yield from sorted(maps.rglob("*.json"))[:MAX_FILES]
            return


def _placed(entry: Any) -> tuple[str, _Placed]:
    """Return the slide of a field of view and its place; raises what a wrong document makes Python raise."""
    turned = sorted(TURNED & entry.keys())
    if turned:
        raise ValueError(f"field of view {entry.get('name')!r} has {turned[0]}, and is not merely moved")
    name, slide = entry["name"], entry["slideId"]
    center = float(entry["centerPointMicrons"]["x"]), float(entry["centerPointMicrons"]["y"])
    size = int(entry["frameSizePixels"]["width"]), int(entry["frameSizePixels"]["height"])
    given = entry["fovSizeMicrons"]
    micrometers = float(given["width"] if isinstance(given, dict) else given)
    if not isinstance(name, str) or not name or isinstance(slide, dict | list):
        raise ValueError(f"a field of view has the name {name!r}, of slide {slide!r}")
    if (
        not all(map(math.isfinite, (*center, micrometers)))
        or micrometers <= 0
        or not 0 < min(size) <= max(size) < MAX_SIDE
    ):
        raise ValueError(f"field of view {name!r} has no place or size")
    return str(slide), _Placed(name, center, size, micrometers / size[0])


def _map(path: Path, number: int, slide: str, placed: list[_Placed]) -> StitchedMap:
    pixel = placed[0].pixel_um
    for one in placed:
        if abs(one.pixel_um - pixel) > SAME_SIZE * pixel:
            sizes = f"{one.pixel_um:.6g} µm, those of {placed[0].fov!r} {pixel:.6g}"
            raise ValueError(f"map {slide!r}: the pixels of {one.fov!r} have {sizes}")
    lefts = [one.center[0] / pixel - one.size[0] / 2 for one in placed]
    tops = [one.center[1] / pixel - one.size[1] / 2 for one in placed]
    left, top = min(lefts), min(tops)
    tiles = tuple(
        Tile(one.fov, math.floor(x - left + 0.5), math.floor(y - top + 0.5), *one.size)
        for one, x, y in zip(placed, lefts, tops, strict=True)
    )
    width, height = max(one.x + one.width for one in tiles), max(one.y + one.height for one in tiles)
    if max(width, height) >= MAX_SIDE:
        raise ValueError(f"map {slide!r} has {width:,} x {height:,} pixels")
    return StitchedMap(slide, path, number, tiles, width, height, pixel)
