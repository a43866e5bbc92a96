"""Which files of a folder are of one series. Each file's header is read once as long as the file stays as it is."""

import os
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from coverslip.errors import ReadError
from coverslip.readers.bounded import BoundedFile
from coverslip.readers.dicom.instance import PIXEL_KEYWORDS, Instance, parse_instance
from coverslip.readers.dicom.metadata import numbers, value
from coverslip.readers.dicom.opening import MAGIC, MAGIC_AT, is_bare, read_header
from coverslip.readers.dicom.pixels import DEFLATED
from coverslip.readers.dicom.stacks import Slice
from coverslip.readers.vendor_metadata import BROKEN

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

MAX_ENTRIES = 200_000
HEAD_BYTES = 512
SETTLED_S = 2.0
"""A folder that changed less than this ago may have changed again within the tick of its clock: it is listed anew."""
WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
KEYWORDS = (
    *PIXEL_KEYWORDS,
    "AcquisitionNumber",
    "EchoTime",
    "FrameOfReferenceUID",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "ImageType",
    "InstanceNumber",
    "RescaleIntercept",
    "RescaleSlope",
    "SeriesInstanceUID",
    "SOPClassUID",
    "SOPInstanceUID",
    "TemporalPositionIdentifier",
    "TriggerTime",
)


@dataclass(frozen=True, slots=True)
class Member:
    """What the header of a file says about the series it belongs to."""

    path: Path
    series: str
    is_slide: bool
    is_damaged: bool
    """An image of which not everything is there."""
    slice: Slice | None
    """``None`` for files of several frames, localizers, and those that do not say where they are."""


def member(path: Path) -> Member | None:
    """Return what a file says about its series, ``None`` where it says nothing or cannot be read."""
    try:
        seen = path.stat(follow_symlinks=False)
    except OSError:
        return None
    return _member(str(path), seen.st_size, seen.st_mtime_ns)


def members(path: Path, series: str) -> list[Member]:
    """Return the files of a series that lie in the folder of a file, itself included, sorted by name.

    Links are not followed: a set consists of the files of its own folder.
    """
    folder = path.parent
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return []
    settled = time.time_ns() - changed > SETTLED_S * 1e9
    listed = _listed(str(folder), changed) if settled else _list(str(folder))
    found = (member(folder / name) for name in listed.get(series, ()))
    return [item for item in found if item is not None and item.series == series]


@lru_cache(maxsize=64)
def _listed(folder: str, changed: int) -> Mapping[str, tuple[str, ...]]:
    """Return the listing of a folder that has this time of change; names do not come or go without a new one."""
    return _list(folder)


def _list(folder: str) -> Mapping[str, tuple[str, ...]]:
    """Return the names of the files of each series in a folder, sorted."""
    found: dict[str, list[str]] = defaultdict(list)
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, MAX_ENTRIES):
                if not entry.name.startswith(".") and entry.is_file(follow_symlinks=False):
                    seen = entry.stat(follow_symlinks=False)
                    item = _member(entry.path, seen.st_size, seen.st_mtime_ns)
                    if item is not None and item.series:
                        found[item.series].append(entry.name)
    except OSError:  # what cannot be listed has no series; the opened file says itself what is wrong with it
        return MappingProxyType({})
    return MappingProxyType({series: tuple(sorted(names)) for series, names in found.items()})


@lru_cache(maxsize=1 << 16)
def _member(name: str, size: int, changed: int) -> Member | None:
    """Return what a file of this size and time of change says; a file that changes gets another time."""
    path = Path(name)
    if not size:
        return None
    try:
        with BoundedFile(path) as stream:
            head = stream.read(HEAD_BYTES)
            if head[MAGIC_AT : MAGIC_AT + 4] != MAGIC and not is_bare(head):
                return None
            if DEFLATED.encode() in head:  # would be unpacked whole to be looked at
                return None
            return _parse(path, stream)
    except (OSError, ReadError, Warning, *BROKEN):  # pydicom warns of damage, and goes on or not
        return None


def _parse(path: Path, stream: BoundedFile) -> Member:
    dataset, syntax = read_header(path, stream, KEYWORDS)
    series = str(value(dataset, "SeriesInstanceUID") or "")
    is_slide = value(dataset, "SOPClassUID") == WHOLE_SLIDE
    try:
        instance = parse_instance(path, stream, dataset, syntax)
    except ReadError:
        return Member(path, series, is_slide, is_damaged=value(dataset, "Rows") is not None, slice=None)
    kinds = value(dataset, "ImageType")
    localizer = "LOCALIZER" in ([kinds] if isinstance(kinds, str) else list(kinds or ()))
    place = _place(instance, dataset)
    alone = not place.is_placed or instance.count > 1 or localizer
    return Member(path, series, is_slide, is_damaged=False, slice=None if alone else place)


def _place(instance: Instance, dataset: "Dataset") -> Slice:
    """Return where the one frame of a file is."""

    def first(keyword: str, default: float) -> float:
        return next(iter(numbers(dataset, keyword)), default)

    return Slice(
        instance,
        position=tuple(numbers(dataset, "ImagePositionPatient")),
        orientation=tuple(numbers(dataset, "ImageOrientationPatient")),
        frame_of_reference=str(value(dataset, "FrameOfReferenceUID") or ""),
        identifier=str(value(dataset, "SOPInstanceUID") or ""),
        echo=next(iter(numbers(dataset, "EchoTime")), None),
        order=tuple(
            first(keyword, 0)
            for keyword in ("TemporalPositionIdentifier", "AcquisitionNumber", "TriggerTime", "InstanceNumber")
        ),
        slope=first("RescaleSlope", 1),
        intercept=first("RescaleIntercept", 0),
    )
