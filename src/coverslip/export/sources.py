"""Where the pictures come from: fields of view of a folder, their annotations, marker sets, and what they were like.

The folder is laid out as UELer has it, and is only ever read: ``<FOV>/<channel>.tif``, masks in ``masks``, annotations
in ``annotations``, and ``.UELer/widget_states.json`` with the marker sets. Any image file that a reader opens is a
field of view too.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from coverslip.errors import InvalidRequestError, NotFoundError, ReadError, UnreadableFileError
from coverslip.export.mosaics import Mosaic
from coverslip.model.export import ChannelLook, MarkerSet
from coverslip.readers import ImageFile, extensions
from coverslip.readers.fov.folders import ENDINGS, INNER, MASK_PLACES, channels_of
from coverslip.readers.listing import list_folder, natural

type OpenFile = Callable[[Path], ImageFile]
"""Opens an image file: ``readers.open_image``, or what opens files that nobody vouches for."""

STATE_FOLDER = ".UELer"
STATES = "widget_states.json"
ROI_TABLE = "roi_manager.csv"
ANNOTATIONS = "annotations"
MAX_STATE_BYTES = 64 << 20
NOT_FIELDS = frozenset({ANNOTATIONS, *(place[0] for place in MASK_PLACES), *(name.lower() for name in INNER)})
"""Folders of TIFFs beside fields of view, or in one, that are none."""


@dataclass(frozen=True, slots=True)
class Source:
    """One field of view, or a stitched map of them."""

    fov: str
    """Its name: of its folder, or of the file without ending."""
    path: Path
    image: int = 0
    """Which image of a file with several."""
    mosaic: Mosaic | None = None
    """Of a map, whose path is that of its descriptor."""
    pixel_um: float | None = None
    """Height and width of a pixel in micrometres where somebody stated it, and it counts."""

    @property
    def key(self) -> str:
        """What tells it apart from all others of a job."""
        return f"{self.path}#{self.image}"


def fields_of(place: Path) -> tuple[Source, ...]:
    """Return the fields of view at a place in natural order.

    Parameters
    ----------
    place
        A folder with a subfolder for each; a folder of image files; one field of view; or one image file.

    Raises
    ------
    NotFoundError
        There is nothing there, or no field of view in it.
    UnreadableFileError
        It cannot be listed.
    """
    if place.is_file():
        return (Source(bare_name(place), place),)
    try:
        inside = list_folder(place)
        if place.name.lower().endswith(".zarr"):
            return (Source(bare_name(place), place),)
        folders = [name for name in inside.folders if not name.startswith(".") and name.lower() not in NOT_FIELDS]
        fields = [Source(name, place / name) for name in folders if _is_field(place / name)]
        if not fields and channels_of(place):
            return (Source(place.name, place),)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"{place}: there is no such file or folder") from error
    except OSError as error:
        raise UnreadableFileError(f"{place} cannot be listed: {error.strerror or error}") from error
    if not fields:
        known = tuple(extensions())
        names = [name for name in (*inside.files, *inside.folders) if name.lower().endswith(known)]
        fields = [Source(bare_name(place / name), place / name) for name in names]
    if not fields:
        raise NotFoundError(f"{place}: no field of view is in it, neither a folder of TIFFs nor an image file")
    return tuple(sorted(fields, key=lambda source: natural(source.fov)))


def chosen(sources: Sequence[Source], names: Sequence[str] | None) -> tuple[Source, ...]:
    """Return the fields of view of these exact names, in the order of the names; all of them for ``None``.

    Raises
    ------
    NotFoundError
        There is none of a name.
    """
    if names is None:
        return tuple(sources)
    known = {source.fov: source for source in sources}
    missing = [name for name in names if name not in known]
    if missing:
        raise NotFoundError(f"there is no field of view {missing[0]!r}; there are: {', '.join(list(known)[:20])}")
    return tuple(known[name] for name in dict.fromkeys(names))


def bare_name(path: Path) -> str:
    """Return the name of a file without the ending that says its format."""
    name, lower = path.name, path.name.lower()
    for ending in extensions():
        if lower.endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    return path.stem if path.is_file() else name


def marker_sets_of(place: Path) -> Mapping[str, MarkerSet]:
    """Return the marker sets that were saved beside fields of view, by name; none where nobody saved any.

    Raises
    ------
    ReadError
        The file is there and holds something else.
    """
    path = state_file(place, STATES)
    if path is None:
        return {}
    document = _json(path)
    found = document.get("marker_sets", {}) if isinstance(document, dict) else None
    if not isinstance(found, dict):
        raise ReadError(f"{path}: its marker_sets are no JSON object")
    sets = {}
    for name, one in found.items():
        try:
            sets[name] = _marker_set(name, one)
        except (ValidationError, TypeError, AttributeError) as error:
            detail = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
            raise ReadError(f"{path}: the marker set {name!r} cannot be read: {detail}") from error
    return sets


def marker_set_of(place: Path, name: str) -> MarkerSet:
    """Return the marker set of a name that was saved beside fields of view.

    Raises
    ------
    NotFoundError
        There is none; the message names those that are there.
    ReadError
        The file is there and holds something else.
    """
    sets = marker_sets_of(place)
    if name not in sets:
        there = f"there are: {', '.join(sorted(sets))}" if sets else f"{place} has none"
        raise NotFoundError(f"there is no marker set {name!r}; {there}")
    return sets[name]


def current_channels(text: str) -> tuple[str, ...] | None:
    """Return the channels of ``current:A,B``, which a region has where nobody saved its marker set; else ``None``."""
    prefix, colon, names = text.partition(":")
    if prefix != "current" or not colon:
        return None
    return tuple(name.strip() for name in names.split(",") if name.strip())


def state_file(place: Path, name: str) -> Path | None:
    """Return a file in the state folder at a place or one of the two folders above; ``None`` where there is none."""
    for folder in (place, *place.parents[:2]):
        path = folder / STATE_FOLDER / name
        if path.is_file():
            return path
    return None


def annotation_file(source: Source, name: str) -> Path:
    """Return the raster of an annotation of a field of view, ``annotations/<FOV>_<name>.tif``.

    Raises
    ------
    NotFoundError
        There is none of this exact name.
    """
    places = (source.path.parent / ANNOTATIONS, source.path.parent.parent / ANNOTATIONS)
    for folder in () if {"/", "\\", "\0"} & set(name) else places:
        for ending in ENDINGS:
            path = folder / f"{source.fov}_{name}{ending}"
            if path.is_file():
                return path
    raise NotFoundError(f"{source.fov}: there is no annotation {name!r}")


def fingerprint(paths: Iterable[Path]) -> dict[str, list[int]]:
    """Return size and time of the last change, in nanoseconds, of each file; of a folder, of what is in it.

    Raises
    ------
    UnreadableFileError
        A file cannot be looked at.
    """
    found = {}
    for path in paths:
        try:
            seen = path.stat()
        except OSError as error:
            raise UnreadableFileError(f"{path} cannot be looked at: {error.strerror or error}") from error
        found[str(path)] = [seen.st_size, seen.st_mtime_ns]
    return found


def _is_field(folder: Path) -> bool:
    try:
        return bool(channels_of(folder))
    except OSError:
        return False


def _marker_set(name: str, saved: Mapping[str, Any]) -> MarkerSet:
    settings = saved.get("channel_settings", {})
    looks = []
    for channel in saved.get("selected_channels", ()):
        one = settings.get(channel, {})
        high = one.get("contrast_max")
        low = one.get("contrast_min")
        given = {} if low is None else {"low": low}
        looks.append(ChannelLook(channel=channel, color=one.get("color", "white"), high=high, **given))
    return MarkerSet(name=name, channels=tuple(looks))


def _json(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_STATE_BYTES:
            raise ReadError(f"{path}: it has more than {MAX_STATE_BYTES >> 20} MiB")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise ReadError(f"{path}: this is no JSON: {error}") from error


def marker_set_from(value: MarkerSet | Mapping[str, Any] | str, place: Path | None) -> MarkerSet:
    """Return a marker set that is given by name, as the reference saves it, or as it is.

    Raises
    ------
    InvalidRequestError, NotFoundError, ReadError
        It makes no sense, or there is none of this name.
    """
    if isinstance(value, MarkerSet):
        return value
    if isinstance(value, str):
        if place is None:
            raise InvalidRequestError(f"the marker set {value!r} is named, but there is no folder to look it up in")
        return marker_set_of(place, value)
    try:
        if "selected_channels" in value:
            return _marker_set(str(value.get("name", "given")), value)
        return MarkerSet.model_validate(dict(value))
    except (ValidationError, TypeError, AttributeError) as error:
        raise InvalidRequestError(f"the marker set makes no sense: {error}") from error
