"""Which files make a field of view: channels, masks and table, by where they lie and what they are called.

::

    base/                                     or one folder above: masks and table are looked for in both
      FOV1/CD45.tif                           one plane for each channel; or FOV1/TIFs/, or FOV1/rescaled/
      masks/FOV1_whole_cell.tif               label masks
      cell_table.csv
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from coverslip.readers.listing import Listing, leads_out, list_folder, natural
from coverslip.readers.tiff_outline import outline

ENDINGS = (".tif", ".tiff")
INNER = ("rescaled", "TIFs")
"""Subfolders that hold the channels, the first one that is there wins; without one the folder itself does."""
MASK_PLACES = (
    ("masks",),
    ("masks_folder",),
    ("segmentation", "masks"),
    ("segmentation", "deepcell_output"),
    ("segmentation",),
    ("deepcell_output",),
)
TABLE_PLACES = ((), ("segmentation", "cell_table"), ("cell_table",))
TABLE_NAME = re.compile(r"cell_table.*\.csv", re.IGNORECASE)
NUMBER = re.compile(r"[0-9]+")
SIBLINGS = 32
"""Neighbouring folders that are asked for the names of their channels."""
LONE_MASK = "mask"
"""Name of a mask that is called as its field of view is, and nothing more."""


@dataclass(frozen=True, slots=True)
class Plane:
    """A TIFF of one plane and what it shows."""

    name: str
    path: Path


def channels_of(folder: Path) -> tuple[Plane, ...]:
    """Return the channels of a folder in natural order: ``CD4`` before ``CD20``. Empty where it has no TIFF.

    Symbolic links that lead out of the folder are no channels, see ``links_out``.

    Raises
    ------
    OSError
        The folder cannot be listed.
    """
    for place in _channel_places(folder):
        names = _tiffs(place, folder)
        if names:
            planes = (Plane(Path(name).stem, place / name) for name in names)
            return tuple(sorted(planes, key=lambda plane: natural(plane.name)))
    return ()


def is_field(folder: Path, *, is_named: bool) -> bool:
    """Return whether a folder is a field of view.

    It is where its TIFFs hold one plane each, all of the same size and type. That is enough where somebody opens the
    folder as an image, and where they lie in ``TIFs`` or ``rescaled``. A walk that comes by asks for more of others:
    the names are not a count (``t001``, ``t002``), and a folder beside this one has at least two, and half, of them.
    """
    try:
        planes = channels_of(folder)
        if not planes or not (is_named or _is_arranged(folder, planes)):
            return False
    except OSError:
        return False
    outlines = [one for plane in planes if (one := outline(plane.path)) is not None]
    if not outlines or not all(one.is_single and not one.is_ome and one.samples == 1 for one in outlines):
        return False
    return len({one.kind for one in outlines}) == 1


def masks_of(folder: Path) -> tuple[Plane, ...]:
    """Return the masks of a field of view by name: what follows ``<FOV>_`` in theirs.

    A mask belongs to the field with the longest name that fits: ``A_B_cell.tif`` is ``cell`` of ``A_B`` where there
    is an ``A_B``, and ``B_cell`` of ``A`` where there is none.
    """
    found: dict[str, Plane] = {}
    for root, place in _places(folder, MASK_PLACES):
        for name in _tiffs(place, root) if place != folder else ():
            stem = Path(name).stem
            if _is_mask_of(stem, folder):
                mask = stem[len(folder.name) + 1 :] or LONE_MASK
                found.setdefault(mask, Plane(mask, place / name))
    return tuple(sorted(found.values(), key=lambda plane: natural(plane.name)))


def tables_of(folder: Path) -> Iterator[Path]:
    """Yield the files that may be the cell table of a field of view, the likeliest first."""
    for root, place in _places(folder, TABLE_PLACES):
        yield from (place / name for name in sorted(_files(place, root), key=len) if TABLE_NAME.fullmatch(name))


def links_out(folder: Path) -> tuple[Path, ...]:
    """Return the symbolic links that would be a channel, mask or table and are left out: they lead elsewhere.

    Channels may lead anywhere in the folder; masks and tables anywhere in the folder that they are looked for in.
    """
    found: dict[Path, None] = {}
    for place in _channel_places(folder):
        found |= dict.fromkeys(_leading_out(place, folder, lambda name: name.lower().endswith(ENDINGS)))
        if _tiffs(place, folder):
            break
    for root, place in _places(folder, MASK_PLACES):
        if place != folder:
            found |= dict.fromkeys(_leading_out(place, root, lambda name: _is_mask_file(name, folder)))
    for root, place in _places(folder, TABLE_PLACES):
        found |= dict.fromkeys(_leading_out(place, root, lambda name: TABLE_NAME.fullmatch(name) is not None))
    return tuple(found)


def field_of_mask(path: Path) -> Path | None:
    """Return the folder of the field of view that a TIFF is a mask of; ``None`` for any other file."""
    if not path.name.lower().endswith(ENDINGS):
        return None
    place = path.parent
    for parts in MASK_PLACES:
        if place.parts[-len(parts) :] != parts:
            continue
        root = place.parents[len(parts) - 1]
        for base in (root, *(root / name for name in _folders(root)[:SIBLINGS])):
            name = _field_named(path.stem, base)
            folder = base / (name or "")
            if name and is_field(folder, is_named=False) and any(mask.path == path for mask in masks_of(folder)):
                return folder
    return None


def _are_names(planes: tuple[Plane, ...]) -> bool:
    """Return whether at least half of the names are more than a count.

    Names that differ in digits alone are one where the numbers go up in equal steps: ``t001``, ``t002``, ``t003``,
    but not ``CD4``, ``CD20``, ``CD45``.
    """
    alike: dict[str, list[tuple[int, ...]]] = {}
    for plane in planes:
        numbers = tuple(map(int, NUMBER.findall(plane.name)))
        alike.setdefault(NUMBER.sub("#", plane.name), []).append(numbers)
    told_apart = sum(1 if _is_count(numbers) else len(numbers) for numbers in alike.values())
    return 2 * told_apart >= len(planes)


def _is_count(numbers: Sequence[tuple[int, ...]]) -> bool:
    """Return whether the numbers at each place of some names are equally spaced."""
    runs = (sorted(set(values)) for values in zip(*numbers, strict=True))
    return all(len({b - a for a, b in pairwise(run)}) <= 1 for run in runs)


def _is_arranged(folder: Path, planes: tuple[Plane, ...]) -> bool:
    """Return whether the TIFFs lie, and are called, as channels are."""
    if planes[0].path.parent != folder:
        return True
    if not _are_names(planes):
        return False
    own = {plane.name for plane in planes}
    others = [name for name in list_folder(folder.parent).folders if name != folder.name]
    for name in others[:SIBLINGS]:
        try:
            shared = len(own & {plane.name for plane in channels_of(folder.parent / name)})
        except OSError:
            continue
        if shared >= max(2, len(own) / 2):
            return True
    return False


def _field_named(stem: str, base: Path) -> str | None:
    """Return the longest name of a folder that a mask's name begins with."""
    fits = (name for name in _folders(base) if stem == name or stem.startswith(f"{name}_"))
    return max(fits, key=len, default=None)


def _is_mask_of(stem: str, folder: Path) -> bool:
    return stem.startswith(folder.name) and _field_named(stem, folder.parent) == folder.name


def _is_mask_file(name: str, folder: Path) -> bool:
    return name.lower().endswith(ENDINGS) and _is_mask_of(Path(name).stem, folder)


def _channel_places(folder: Path) -> tuple[Path, ...]:
    inside = list_folder(folder)
    return (*(folder / name for name in INNER if name in inside.folders), folder)


def _places(folder: Path, parts: Sequence[tuple[str, ...]]) -> Iterator[tuple[Path, Path]]:
    """Yield where something beside a field of view is looked for: the folder that it may not lead out of, the place."""
    for root in (folder.parent, folder.parent.parent):
        yield from ((root, root.joinpath(*names)) for names in parts)


def _leading_out(place: Path, home: Path, is_wanted: Callable[[str], bool]) -> Iterator[Path]:
    """Yield the links in a place, or the place itself, that lead out of a folder."""
    if place.is_dir() and leads_out(place, home):
        yield place
        return
    listing = _listing(place)
    if listing is None:
        return
    for name in listing.files:
        if name in listing.links and is_wanted(name) and leads_out(place / name, home):
            yield place / name


def _tiffs(folder: Path, home: Path) -> tuple[str, ...]:
    return tuple(name for name in _files(folder, home) if name.lower().endswith(ENDINGS))


def _files(folder: Path, home: Path) -> tuple[str, ...]:
    """Return the names of files, without links that lead out of ``home``; none where there is no such folder."""
    listing = _listing(folder)
    if listing is None or leads_out(folder, home):
        return ()
    return tuple(name for name in listing.files if name not in listing.links or not leads_out(folder / name, home))


def _listing(folder: Path) -> Listing | None:
    """Return what lies in a folder; ``None`` where there is no such folder."""
    try:
        return list_folder(folder)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None


def _folders(folder: Path) -> tuple[str, ...]:
    listing = _listing(folder)
    return listing.folders if listing else ()
