"""A key -> what lies there."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from coverslip.cryoet.layout import keys

Part = Literal["folder", "document", "file"]


@dataclass(frozen=True, slots=True)
class Place:
    """What lies at a key.

    Parameters
    ----------
    type
        The type of the entity it belongs to: ``deposition``, ``dataset``, ``run``, ``gain``, ``frame``,
        ``collection_metadata``, ``tiltseries``, ``rawtilt``, ``ctf``, ``alignment``, ``identified_object``,
        ``voxel_spacing``, ``tomogram``, ``annotation``, ``key_image``, ``deposition_keyphoto``, ``dataset_keyphoto``;
        ``neuroglancer_precompute`` and ``neuroglancer_config`` are made of others.
    part
        Its folder, its metadata document, or one of its files. A Zarr or precomputed folder counts as one file.
    folder
        The key of the entity's folder; of a voxel spacing or run that folder, and of pictures that of what they show.
    deposition
        The number of the deposition, of depositions and their photos.
    dataset, run
        Their names; empty above.
    spacing
        The voxel spacing as its folder has it, three decimals; empty above.
    number
        The number of the folder, or of the tomogram or annotation that a picture, a state or a precompute is of.
    name
        The name of the file: its last part, without what lies inside of a folder that counts as one file.
    shape
        Of files of annotations, as documents call it.
    format
        What the name ends with: ``zarr``, ``mrc``, ``json`` ...
    inside
        The rest of the key, inside of a folder that counts as one file.
    """

    type: str
    part: Part
    folder: str
    deposition: str = ""
    dataset: str = ""
    run: str = ""
    spacing: str = ""
    number: int | None = None
    name: str = ""
    shape: str = ""
    format: str = ""
    inside: str = ""

    @property
    def file(self) -> str:
        """The key of its file, without what lies inside of one that is a folder."""
        return f"{self.folder}/{self.name}" if self.name and self.part != "folder" else self.folder


_NUMBER = re.compile(r"[1-9][0-9]{0,8}")
_SPACING = re.compile(r"VoxelSpacing([0-9]{1,9}\.[0-9]{3})")
_PHOTO = re.compile(r"(snapshot|thumbnail)\.[A-Za-z0-9]{1,8}")
_KEY_PHOTO = re.compile(rf"key-photo-({'|'.join(keys.KEY_PHOTOS)})\.png")
_SHAPES = {shape.lower(): shape for shape in keys.SHAPES.values() if shape != "AnnotationCaption"}
_SHAPED = re.compile(rf"_({'|'.join(_SHAPES)})(_caption)?\.[a-z]+$")
_PRECOMPUTE = re.compile(rf"([1-9][0-9]{{0,8}})-.*_({'|'.join(_SHAPES)}|{keys.ORIENTED_MESH})")
_STATE = re.compile(r"([1-9][0-9]{0,8})-neuroglancer_config\.json")
_CTF = re.compile(r".+_ctf\.txt")


@lru_cache(maxsize=4096)
def parse(key: str) -> Place | None:
    """Return what lies at a key, ``None`` for what has no place in the layout. Nothing is opened.

    A folder is named with or without a slash at its end. Whether a name without an ending is a folder, the key alone
    does not say: ``30001`` and ``30001/RUN1`` are a dataset and a run.
    """
    parts = key.removesuffix("/").split("/")
    try:
        for part in parts:
            keys.name(part)
    except ValueError:
        return None
    if parts[0] == "depositions_metadata":
        return _deposition(parts)
    return _dataset(parts)


def _format(file: str) -> str:
    return file.rpartition(".")[2].lower() if "." in file else ""


def _file(place: Place, kind: str, name: str, inside: list[str] | None = None) -> Place:
    return replace(place, type=kind, part="file", name=name, format=_format(name), inside="/".join(inside or []))


def _document(place: Place, kind: str, name: str) -> Place:
    return replace(place, type=kind, part="document", name=name, format="json")


def _deposition(parts: list[str]) -> Place | None:
    if len(parts) < 2 or not _NUMBER.fullmatch(parts[1]):
        return None
    place = Place("deposition", "folder", "/".join(parts[:2]), deposition=parts[1])
    return _described(place, parts[2:])


def _described(place: Place, rest: list[str]) -> Place | None:
    """Return what lies in the folder of a deposition or dataset."""
    match rest:
        case []:
            return place
        case [file] if file == keys.DOCUMENTS[place.type]:
            return _document(place, place.type, file)
        case ["Images", file] if _PHOTO.fullmatch(file):
            return replace(_file(place, f"{place.type}_keyphoto", file), folder=f"{place.folder}/Images")
    return None


def _dataset(parts: list[str]) -> Place | None:
    place = Place("dataset", "folder", parts[0], dataset=parts[0])
    if len(parts) == 1 or parts[1] in ("Images", keys.DOCUMENTS["dataset"]):
        return _described(place, parts[1:])
    run = Place("run", "folder", "/".join(parts[:2]), dataset=parts[0], run=parts[1])
    rest = parts[2:]
    if not rest:
        return None if _format(parts[1]) == "json" else run
    if rest == [keys.DOCUMENTS["run"]]:
        return _document(run, "run", rest[0])
    below = _BELOW_RUN.get(rest[0])
    return below(replace(run, folder=f"{run.folder}/{rest[0]}"), rest[1:]) if below else None


def _gain(place: Place, rest: list[str]) -> Place | None:
    if not rest:
        return replace(place, type="gain")
    return _file(place, "gain", rest[0], rest[1:])


def _frames(place: Place, rest: list[str]) -> Place | None:
    match rest:
        case []:
            return replace(place, type="frame")
        case [file] if file == keys.DOCUMENTS["frame"]:
            return _document(place, "frame", file)
        case [file] if file.endswith(".mdoc"):
            return _file(place, "collection_metadata", file)
        case [file, *inside]:
            return _file(place, "frame", file, inside)
    return None


def _objects(place: Place, rest: list[str]) -> Place | None:
    match rest:
        case []:
            return replace(place, type="identified_object")
        case [file] if file == keys.DOCUMENTS["identified_object"]:
            return _document(place, "identified_object", file)
        case ["identified_objects.json" as file]:
            return _file(place, "identified_object", file)
    return None


def _numbered(kind: str) -> Callable[[Place, list[str]], Place | None]:
    """Return what tells of the folders with numbers of a type."""

    def tell(place: Place, rest: list[str]) -> Place | None:
        if not rest or not _NUMBER.fullmatch(rest[0]):
            return None
        own = replace(place, type=kind, folder=f"{place.folder}/{rest[0]}", number=int(rest[0]))
        match rest[1:]:
            case []:
                return own
            case [file] if file == keys.DOCUMENTS.get(kind):
                return _document(own, kind, file)
            case [file, *inside]:
                return _numbered_file(own, kind, file, inside)
        return None

    return tell


def _numbered_file(own: Place, kind: str, file: str, inside: list[str]) -> Place | None:
    if inside and _format(file) != "zarr":
        return None
    if kind == "annotation":
        return _annotation_file(own, file, inside)
    if kind == "tiltseries" and file.endswith((".rawtlt", ".tlt")):
        return _file(own, "rawtilt", file)
    if kind == "tiltseries" and _CTF.fullmatch(file):
        return _file(own, "ctf", file)
    if kind in ("tiltseries", "tomogram") and _format(file) not in ("zarr", "mrc"):
        return None
    return _file(own, kind, file, inside)


def _annotation_file(own: Place, file: str, inside: list[str]) -> Place | None:
    if found := _SHAPED.search(file):
        shape = _SHAPES[found[1]] if not found[2] else "AnnotationCaption"
        return replace(_file(own, "annotation", file, inside), shape=shape)
    if file.endswith("_caption.json"):
        return replace(_file(own, "annotation", file), shape="AnnotationCaption")
    return _document(own, "annotation", file) if file.endswith(".json") and not inside else None


def _reconstructions(place: Place, rest: list[str]) -> Place | None:
    found = _SPACING.fullmatch(rest[0]) if rest else None
    if found is None:
        return None
    folder = f"{place.folder}/{rest[0]}"
    own = replace(place, type="voxel_spacing", folder=folder, spacing=found[1])
    if len(rest) == 1:
        return own
    below = _BELOW_SPACING.get(rest[1])
    return below(replace(own, folder=f"{folder}/{rest[1]}"), rest[2:]) if below else None


def _key_image(place: Place, rest: list[str]) -> Place | None:
    match rest:
        case [number, file] if _NUMBER.fullmatch(number) and _KEY_PHOTO.fullmatch(file):
            own = replace(place, folder=f"{place.folder}/{number}", number=int(number))
            return _file(own, "key_image", file)
    return None


def _precompute(place: Place, rest: list[str]) -> Place | None:
    match rest:
        case [file] if found := _STATE.fullmatch(file):
            return replace(_file(place, "neuroglancer_config", file), number=int(found[1]))
        case [number, file] if _NUMBER.fullmatch(number) and file == "neuroglancer_config.json":
            own = replace(place, folder=f"{place.folder}/{number}", number=int(number))
            return _file(own, "neuroglancer_config", file)  # as it was until 2024
        case [folder, *inside] if found := _PRECOMPUTE.fullmatch(folder):
            shape = _SHAPES.get(found[2], "OrientedPoint")
            own = _file(place, "neuroglancer_precompute", folder, inside)
            return replace(own, number=int(found[1]), shape=shape, format="precomputed")
    return None


_BELOW_RUN: dict[str, Callable[[Place, list[str]], Place | None]] = {
    "Gains": _gain,
    "Frames": _frames,
    "TiltSeries": _numbered("tiltseries"),
    "Alignments": _numbered("alignment"),
    "IdentifiedObjects": _objects,
    "Reconstructions": _reconstructions,
}

_BELOW_SPACING: dict[str, Callable[[Place, list[str]], Place | None]] = {
    "Tomograms": _numbered("tomogram"),
    "Annotations": _numbered("annotation"),
    "Images": _key_image,
    "NeuroglancerPrecompute": _precompute,
}
