"""Which files in a folder are one set. Each folder is looked through once, however many of its files are opened."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

from coverslip.readers.listing import leads_out, list_folder, stamp
from coverslip.readers.numbered.names import AXES, Place, parse_folder, parse_name
from coverslip.readers.tiff_outline import Outline, outline

ENDINGS = (".tif", ".tiff", ".stk")
OIF_FILES = ".oif.files"
"""Folder with the planes of an OIF, whose settings say what they are."""
COMPARED = 64
"""Files of a set whose headers are compared when it is opened, evenly spread; each plane is checked when it is read."""
KEPT_FOLDERS = 32

type Spot = tuple[int, int, int]
"""Time point, channel and slice, as numbers in names or as indices."""


@dataclass(frozen=True, slots=True)
class NumberedSet:
    """The files of one image."""

    name: str
    shape: Spot
    """How many time points, channels and slices."""
    planes: Mapping[Spot, Path]
    """By index, those that are there."""
    channels: tuple[str | None, ...]
    """What the names call each channel."""
    axes: str
    """The axes that are counted: some of t, c, z."""
    files: tuple[Path, ...]
    """All files, sorted."""
    left_out: tuple[Path, ...] = ()
    """Symbolic links that lead out of the folder of the set, sorted: they are none of its files."""

    @property
    def missing(self) -> int:
        """How many planes are in no file."""
        return math.prod(self.shape) - len(self.planes)


@dataclass(slots=True)
class _Group:
    """Files with one skeleton."""

    axes: str
    planes: dict[tuple[int, ...], tuple[Path, str | None]]
    is_ambiguous: bool = False
    """Whether two files claim the same place."""
    left_out: list[Path] = field(default_factory=list)
    """Symbolic links that lead out of the folder of the set."""
    arranged: "list[NumberedSet | None]" = field(default_factory=list)
    """The set they make, or none; empty until somebody asks. It is the same for all of the files."""


def set_of(path: Path) -> NumberedSet | None:
    """Return the set that a file is one of, as its name and its neighbours say; ``None`` where it stands alone.

    A set has at least two files, of one plane, one size and one type. Numbers of time points and slices may begin
    anywhere and go up in any equal steps; at least three of four planes are there. Files that say themselves what
    belongs to them (OME-TIFF), and those of an OIF, are no part of one. Nor are symbolic links that lead out of the
    folder of the set; such a link, opened by its own name, stands alone.
    """
    if parse_name(path.stem) is None and parse_folder(path.parent.name) is None:
        return None
    if path.parent.name.lower().endswith(OIF_FILES):
        return None
    levels = 0
    while levels < 2 and parse_folder(path.parents[levels].name) is not None:
        levels += 1
    try:
        folders = _folders(path.parents[levels], [parse_folder(path.parents[n].name) for n in reversed(range(levels))])
        groups = _groups(tuple((str(folder), *stamp(folder)) for folder in folders), levels)
    except OSError:
        return None
    place = _place_of(path, levels)
    group = None if place is None else groups.get((place.axes, place.skeleton, path.suffix.lower()))
    if place is None or group is None or group.is_ambiguous or len(group.planes) < 2 or path in group.left_out:
        return None
    if not group.arranged:
        group.arranged.append(_arrange(place, group))
    found = group.arranged[0]
    return found if found is not None and _are_alike(found.files) else None


def _folders(base: Path, counted: "Sequence[tuple[str, int] | None]") -> list[Path]:
    """Return all folders beside and like those that the file lies in: ``TimePoint_*`` / ``ZStep_*``."""
    found = [base]
    for one in counted:
        axis = one[0] if one else ""
        found = [
            folder / name
            for folder in found
            for name in list_folder(folder).folders
            if (parsed := parse_folder(name)) is not None and parsed[0] == axis
        ]
    return found


def _place_of(path: Path, levels: int) -> Place | None:
    """Return the place of a file, the folders it lies in counted."""
    place = parse_name(path.stem)
    found = dict(zip(place.axes, place.numbers, strict=True)) if place else {}
    for n in range(levels):
        parsed = parse_folder(path.parents[n].name)
        if parsed is None or parsed[0] in found:
            return None
        found[parsed[0]] = parsed[1]
    axes = "".join(axis for axis in AXES if axis in found)
    if not axes:
        return None
    numbers = tuple(found[axis] for axis in axes)
    return Place(place.skeleton, axes, numbers, place.channel) if place else Place(path.stem, axes, numbers)


@lru_cache(KEPT_FOLDERS)
def _groups(stamped: tuple[tuple[str | int, ...], ...], levels: int) -> Mapping[tuple[str, str, str], _Group]:
    """Return the files of some folders by axes, skeleton and ending."""
    groups: dict[tuple[str, str, str], _Group] = {}
    for name, *_ in stamped:
        folder = Path(str(name))
        home = folder.parents[levels - 1] if levels else folder
        is_away = leads_out(folder, home)
        listing = list_folder(folder)
        for file in listing.files:
            path = folder / file
            ending = path.suffix.lower()
            place = _place_of(path, levels) if ending in ENDINGS else None
            if place is None:
                continue
            group = groups.setdefault((place.axes, place.skeleton, ending), _Group(place.axes, {}))
            if (is_away or file in listing.links) and leads_out(path, home):
                group.left_out.append(path)
                continue
            group.is_ambiguous |= place.numbers in group.planes
            group.planes[place.numbers] = path, place.channel
    return groups


def _arrange(place: Place, group: _Group) -> NumberedSet | None:
    """Return the set with numbers as indices; ``None`` where too few of its planes are there."""
    runs: dict[str, Sequence[int]] = {}
    for at, axis in enumerate(group.axes):
        numbers = sorted({spot[at] for spot in group.planes})
        step = math.gcd(*(b - a for a, b in pairwise(numbers))) or 1
        runs[axis] = numbers if axis == "c" else range(numbers[0], numbers[-1] + 1, step)
    t, c, z = (len(runs[axis]) if axis in runs else 1 for axis in AXES)
    if 3 * t * c * z > 4 * len(group.planes):
        return None
    indices = {axis: {number: index for index, number in enumerate(run)} for axis, run in runs.items()}
    planes: dict[Spot, Path] = {}
    channels: list[str | None] = [None] * c
    for counted, (path, channel) in group.planes.items():
        spot = {axis: indices[axis][number] for axis, number in zip(group.axes, counted, strict=True)}
        planes[spot.get("t", 0), spot.get("c", 0), spot.get("z", 0)] = path
        channels[spot.get("c", 0)] = channels[spot.get("c", 0)] or channel
    files = tuple(sorted(planes.values()))
    name = place.skeleton.replace("\0", "w#")
    return NumberedSet(name, (t, c, z), planes, tuple(channels), group.axes, files, tuple(sorted(group.left_out)))


def _are_alike(files: Sequence[Path]) -> bool:
    """Return whether files have the same size and type; what cannot be read now is an error when it is asked for."""
    step = max(1, -(-len(files) // COMPARED))
    found = [one for path in {*files[::step], files[-1]} if (one := outline(path)) is not None]
    return bool(found) and all(_may_belong(one) for one in found) and len({one.kind for one in found}) == 1


def _may_belong(one: Outline) -> bool:
    return one.is_single and not one.is_ome
