"""A DICOM dataset -> our metadata and a document of everything it says, patient included. Pure."""

from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from coverslip.model import MicroscopeInfo, PhysicalSize
from coverslip.readers.vendor_metadata import BROKEN, MAX_DEPTH, MAX_LIST, MAX_TEXT, number, positive, words

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

FRAME_TIMES = {0x00181063, 0x00181065}
"""FrameTime and FrameTimeVector: what frames are along when they are moments."""
BULK = {"OB", "OW", "OF", "OD", "OL", "OV", "UN"}


def value(dataset: "Dataset", keyword: str) -> Any:
    """Return a value, ``None`` where it is missing, empty or makes no sense."""
    try:
        found = dataset.get(keyword)
    except BROKEN:
        return None
    return None if found == "" else found


def numbers(dataset: "Dataset", keyword: str) -> list[float]:
    """Return the finite numbers of a value."""
    found = value(dataset, keyword)
    many = (
        found
        if isinstance(found, list | tuple) or (hasattr(found, "__iter__") and not isinstance(found, str))
        else [found]
    )
    return [parsed for item in many if (parsed := number(item if isinstance(item, str) else _float(item))) is not None]


def parse_spacing(dataset: "Dataset") -> tuple[PhysicalSize | None, PhysicalSize | None]:
    """Return the pixel sizes X, Y in millimetres; DICOM lists the distance of rows first."""
    spacing = numbers(_measures(dataset), "PixelSpacing")
    if len(spacing) != 2:
        return None, None
    return PhysicalSize.known(spacing[1], "mm"), PhysicalSize.known(spacing[0], "mm")


def parse_slice_distance(dataset: "Dataset") -> PhysicalSize | None:
    """Return the distance of slices in millimetres; their thickness is another thing and is not taken for it."""
    offsets = numbers(dataset, "GridFrameOffsetVector")
    steps = {round(abs(after - before), 6) for before, after in pairwise(offsets)}
    if len(steps) == 1:
        return PhysicalSize.known(steps.pop(), "mm")
    stated = numbers(_measures(dataset), "SpacingBetweenSlices")
    return PhysicalSize.known(abs(stated[0]), "mm") if stated else None


def is_in_time(dataset: "Dataset") -> bool:
    """Return whether the frames are moments; otherwise they are slices."""
    pointer = value(dataset, "FrameIncrementPointer")
    tags = pointer if isinstance(pointer, list | tuple) or hasattr(pointer, "__iter__") else [pointer]
    return any(tag in FRAME_TIMES for tag in tags if isinstance(tag, int))


def parse_time_increment(dataset: "Dataset") -> float | None:
    """Return the seconds between frames."""
    times = numbers(dataset, "FrameTime") or numbers(dataset, "FrameTimeVector")[1:2]
    return positive(times[0], 1e-3) if times else None


def parse_microscope(dataset: "Dataset") -> MicroscopeInfo | None:
    """Return the instrument."""
    found = MicroscopeInfo(
        manufacturer=words(value(dataset, "Manufacturer")),
        model=words(value(dataset, "ManufacturerModelName")),
        serial_number=words(value(dataset, "DeviceSerialNumber")),
        type=words(value(dataset, "Modality")),
    )
    return found if found != MicroscopeInfo() else None


def parse_acquired_at(dataset: "Dataset") -> datetime | None:
    """Return when the image was acquired."""
    both = str(value(dataset, "AcquisitionDateTime") or "")
    if not both:
        day = str(value(dataset, "AcquisitionDate") or value(dataset, "ContentDate") or "")
        clock = str(value(dataset, "AcquisitionTime") or value(dataset, "ContentTime") or "")
        both = day.replace(".", "") + clock
    digits, _, zone = both.partition("+")
    digits, fraction = digits.split(".", 1) if "." in digits else (digits, "")
    try:
        moment = datetime.strptime(digits[:14].ljust(14, "0"), "%Y%m%d%H%M%S")  # the zone is added below
        offset = timezone(timedelta(hours=int(zone[:2]), minutes=int(zone[2:4] or 0))) if zone else None
        return moment.replace(microsecond=int(fraction[:6].ljust(6, "0") or 0), tzinfo=offset)
    except ValueError:
        return None


def parse_vendor(dataset: "Dataset", depth: int = 0) -> dict[str, Any]:
    """Return the dataset as JSON: keywords (or tags, for private elements) and values; no bulk data."""
    document: dict[str, Any] = {}
    for tag in list(dataset.keys())[:MAX_LIST]:
        try:
            element = dataset[tag]
            if element.VR in BULK:
                continue
            key = element.keyword or str(element.tag)
            document[key] = (
                [parse_vendor(item, depth + 1) for item in list(element.value)[:MAX_LIST] if depth < MAX_DEPTH]
                if element.VR == "SQ"
                else _json(element.value)
            )
        except BROKEN:
            continue
    return document


def _measures(dataset: "Dataset") -> "Dataset":
    """Return what holds the pixel measures: the dataset, or the part that all frames share."""
    shared = value(dataset, "SharedFunctionalGroupsSequence")
    try:
        return shared[0].PixelMeasuresSequence[0] if shared else dataset
    except BROKEN:
        return dataset


def _json(found: Any) -> Any:
    if found is None or isinstance(found, bool | int):
        return found
    if isinstance(found, str):
        return str(found)[:MAX_TEXT]
    if isinstance(found, Mapping | bytes):
        return None
    if hasattr(found, "__iter__") and not hasattr(found, "components"):
        return [_json(item) for item in list(found)[:MAX_LIST]]
    parsed = _float(found)
    return parsed if parsed is not None else str(found)[:MAX_TEXT]


def _float(found: Any) -> float | None:
    try:
        return number(float(found))
    except (TypeError, ValueError, OverflowError):
        return None
