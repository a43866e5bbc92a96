"""Which files make a field of view: channels, masks and table, by where they lie and what they are called.

::

    base/                                     or one folder above: masks and table are looked for in both
      FOV1/CD45.tif                           one plane for each channel; or FOV1/TIFs/, or FOV1/rescaled/
      masks/FOV1_whole_cell.tif               label masks
      cell_table.csv
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from coverslip.readers.listing import list_folder, natural
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

    Raises
    ------
    OSError
        The folder cannot be listed.
    """
    inside = list_folder(folder)
    for place in (*(folder / name for name in INNER if name in inside.folders), folder):
        names = _tiffs(place)
        if names:
            planes = (Plane(Path(name).stem, place / name) for name in names)
            return tuple(sorted(planes, key=lambda plane: natural(plane.name)))
    return ()


def is_field(folder: Path, *, is_named: bool) -> bool:
    """Return whether a folder is a field of view.

    It is where its TIFFs hold one plane each, all of the same size and type. That is enough where somebody opens the
    folder as an image. A walk that comes by asks for more: the names are not a count (``t001``, ``t002``), and the
    TIFFs lie in ``TIFs`` or ``rescaled``, or a folder beside this one has at least two, and half, of its channels.
    """
    try:
        planes = channels_of(folder)
        if not planes or not (is_named or (_are_names(planes) and _is_arranged(folder, planes))):
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
    for place in (root.joinpath(*parts) for root in (folder.parent, folder.parent.parent) for parts in MASK_PLACES):
        for name in _tiffs(place) if place != folder else ():
            stem = Path(name).stem
            if stem.startswith(folder.name) and _field_named(stem, folder.parent) == folder.name:
                mask = stem[len(folder.name) + 1 :] or LONE_MASK
                found.setdefault(mask, Plane(mask, place / name))
    return tuple(sorted(found.values(), key=lambda plane: natural(plane.name)))


def tables_of(folder: Path) -> Iterator[Path]:
    """Yield the files that may be the cell table of a field of view, the likeliest first."""
    for root in (folder.parent, folder.parent.parent):
        for parts in TABLE_PLACES:
            place = root.joinpath(*parts)
            yield from (place / name for name in sorted(_files(place), key=len) if TABLE_NAME.fullmatch(name))


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
    """Return whether the names are more than a count: at least half of them differ in more than digits."""
    return 2 * len({re.sub(r"\d+", "#", plane.name) for plane in planes}) >= len(planes)


def _is_arranged(folder: Path, planes: tuple[Plane, ...]) -> bool:
    """Return whether the TIFFs lie as channels are laid out."""
    if planes[0].path.parent != folder:
        return True
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


def _tiffs(folder: Path) -> tuple[str, ...]:
    return tuple(name for name in _files(folder) if name.lower().endswith(ENDINGS))


def _files(folder: Path) -> tuple[str, ...]:
    """Return the names of files; none where there is no such folder."""
    try:
        return list_folder(folder).files
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ()


def _folders(folder: Path) -> tuple[str, ...]:
    try:
        return list_folder(folder).folders
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return ()
