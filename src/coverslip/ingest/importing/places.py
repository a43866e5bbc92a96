"""What lies at a key, in the layout of today and in its older forms. Pure.

Until 2024 the portal wrote without numbers what has folders with numbers now::

    {dataset}/{run}/TiltSeries/tiltseries_metadata.json            and files beside it
    {dataset}/{run}/Alignments/alignment_metadata.json
    {dataset}/{run}/Tomograms/VoxelSpacing{a}/CanonicalTomogram/tomogram_metadata.json
    {dataset}/{run}/Tomograms/VoxelSpacing{a}/Annotations/{number}-{slug}-{version}.json
    {dataset}/KeyPhoto/{snapshot|thumbnail}.{ext}

and voxel spacings with as many decimals as they had. Source: the portal's own test data, and what its documents still
name.
"""

import re
from dataclasses import dataclass, field, replace

from coverslip.cryoet.layout import Place, parse
from coverslip.ingest.importing.listing import Listing

_SPACING = re.compile(r"VoxelSpacing([0-9]{1,9}(?:\.[0-9]{1,9})?)")
_NUMBERED_NAME = re.compile(r"([1-9][0-9]{0,8})-")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_ANY = "1"
"""Stands for the number where a key has none; it is taken out of the place again."""


def place_of(key: str) -> Place | None:
    """Return what lies at a key of the layout or of one of its older forms; ``None`` for what has no place in it."""
    return parse(key) or _older(key)


def _older(key: str) -> Place | None:
    parts = key.split("/")
    newer, has_number = _newer(parts)
    if newer is None:
        return None
    place = parse("/".join(newer))
    if place is None and len(newer) == 7 and newer[4] == "Annotations":  # its shapes had other names
        known = parse("/".join([*newer[:6], "any_point.ndjson"]))
        place = replace(known, name=newer[6], shape="", format=newer[6].rpartition(".")[2]) if known else None
    if place is None or place.part == "folder":
        return None
    end = len(parts) - 1 - (place.inside.count("/") + 1 if place.inside else 0)
    number = place.number if has_number else None
    if not has_number and place.type == "annotation" and (found := _NUMBERED_NAME.match(place.name)):
        number = int(found[1])
    return replace(place, folder="/".join(parts[:end]), number=number)


def _newer(parts: list[str]) -> tuple[list[str] | None, bool]:
    """Return the parts of the key that today's layout has for an older one, and whether it has a number of its own."""
    match parts:
        case [dataset, "KeyPhoto", file]:
            return [dataset, "Images", file], True
        case [_, _, "TiltSeries" | "Alignments", first, *rest] if not (rest and _NUMBER.fullmatch(first)):
            return [*parts[:3], _ANY, first, *rest], False
        case [dataset, run, "Tomograms" | "Reconstructions", spacing, folder, *rest] if rest:
            named = _spacing(spacing)
            if named is None:
                return None, False
            folder = "Tomograms" if folder == "CanonicalTomogram" else folder
            top = [dataset, run, "Reconstructions", named, folder]
            if _NUMBER.fullmatch(rest[0]) and len(rest) > 1:
                return [*top, *rest], True
            return [*top, _ANY, *rest], False
    return None, False


def _spacing(name: str) -> str | None:
    found = _SPACING.fullmatch(name)
    return f"VoxelSpacing{float(found[1]):.3f}" if found else None


def spacing_of(key: str) -> tuple[str, str] | None:
    """Return the voxel spacing that a key lies in, with three decimals, and the key of its folder."""
    parts = key.split("/")
    if len(parts) > 4 and parts[2] in ("Reconstructions", "Tomograms") and (found := _SPACING.fullmatch(parts[3])):
        return f"{float(found[1]):.3f}", "/".join(parts[:4])
    return None


@dataclass(slots=True)
class Group:
    """What a listing has of one entity."""

    place: Place
    """Of the first of its files."""
    documents: list[str] = field(default_factory=list)
    """Keys of what may be its metadata document: of an annotation, every JSON file that is no file of a shape."""
    files: dict[str, Place] = field(default_factory=dict)


@dataclass(slots=True)
class Shelf:
    """What a listing has of one deposition, of one dataset without its runs, or of one run."""

    folder: str
    groups: dict[tuple[str, str], Group] = field(default_factory=dict)
    """By type of entity and key of its folder, in the order of the keys."""
    spacings: dict[str, str] = field(default_factory=dict)
    """Voxel spacings with three decimals, and the keys of their folders."""
    others: list[str] = field(default_factory=list)
    """Keys without a place in the layout."""

    def of_type(self, name: str) -> list[Group]:
        """Return the groups of a type, in the order of their numbers; those without a number come first."""
        groups = [group for (kind, _), group in self.groups.items() if kind == name]
        return sorted(groups, key=lambda group: (group.place.number or 0, group.place.folder))

    def documents(self) -> list[str]:
        """Return the keys of everything that may be a document."""
        return [key for group in self.groups.values() for key in group.documents]

    def everything(self) -> list[str]:
        """Return all keys."""
        return [key for group in self.groups.values() for key in (*group.documents, *group.files)] + self.others


@dataclass(slots=True)
class Shelves:
    """A listing, sorted into what belongs together."""

    depositions: dict[str, Shelf] = field(default_factory=dict)
    datasets: dict[str, Shelf] = field(default_factory=dict)
    runs: dict[str, dict[str, Shelf]] = field(default_factory=dict)
    """By dataset and name."""
    others: list[str] = field(default_factory=list)
    """Keys in folders without any document: they are of no layout."""


def sort_listing(listing: Listing) -> Shelves:
    """Return a listing sorted by deposition, dataset and run. A folder without a document below it is none of them."""
    shelves = Shelves()
    for key in listing.files:
        place = place_of(key)
        parts = key.split("/")
        if place is not None and place.deposition:
            shelf = shelves.depositions.setdefault(place.deposition, Shelf(f"{parts[0]}/{parts[1]}"))
        elif place is not None and place.dataset and not place.run:
            shelf = shelves.datasets.setdefault(place.dataset, Shelf(place.dataset))
        elif len(parts) > 2 and parts[0] != "depositions_metadata":
            runs = shelves.runs.setdefault(parts[0], {})
            shelf = runs.setdefault(parts[1], Shelf(f"{parts[0]}/{parts[1]}"))
        else:
            shelves.others.append(key)
            continue
        _put(shelf, key, place)
    _leave_out(shelves)
    return shelves


def _put(shelf: Shelf, key: str, place: Place | None) -> None:
    if (spacing := spacing_of(key)) is not None and spacing[0] not in shelf.spacings:
        shelf.spacings[spacing[0]] = spacing[1]
    if place is None or place.part == "folder":
        shelf.others.append(key)
        return
    # what has no folder of its own shares one with others of its type
    is_alone = place.type == "annotation" and not place.folder.rpartition("/")[2].isdigit()
    own = f"{place.folder}/{_stem(place)}" if is_alone else place.folder
    group = shelf.groups.setdefault((place.type, own), Group(place))
    if place.part == "document":
        group.documents.append(key)
    else:
        group.files[key] = place


def _stem(place: Place) -> str:
    """Return what the names of the files of one annotation begin with."""
    stem = place.name.rpartition(".")[0]
    return stem.rpartition("_")[0] if place.part == "file" else stem


def _leave_out(shelves: Shelves) -> None:
    """Take out what has no document at all."""
    for dataset, runs in list(shelves.runs.items()):
        for run in [run for run, shelf in runs.items() if not shelf.documents()]:
            shelves.others += runs[run].everything() if dataset not in shelves.datasets else []
            if dataset in shelves.datasets:
                shelves.datasets[dataset].others += runs[run].everything()
            del runs[run]
        if not runs:
            del shelves.runs[dataset]
    for dataset in [name for name, shelf in shelves.datasets.items() if not shelf.documents()]:
        if dataset not in shelves.runs:
            shelves.others += shelves.datasets.pop(dataset).everything()
    for dataset in shelves.runs:
        shelves.datasets.setdefault(dataset, Shelf(dataset))
    for number in [number for number, shelf in shelves.depositions.items() if not shelf.documents()]:
        shelves.others += shelves.depositions.pop(number).everything()
