"""Olympus settings -> our axes and metadata. Pure.

Settings are sections of keys, as ``oiffile.SettingsFile`` reads them; what they mean was learned from files of an
FV1000 and from Bio-Formats' description of them. Nothing here can be trusted: a missing key is unknown, not an error.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from coverslip.errors import ReadError
from coverslip.model import ChannelInfo, MicroscopeInfo, ObjectiveInfo, PhysicalSize
from coverslip.readers.budgets import check_pages
from coverslip.readers.vendor_metadata import moment, number, positive, words

RawSettings = Mapping[str, Mapping[str, Any]]

FRAME_NAME = re.compile(r"_((?:[A-Z]\d{1,6})+)\.tif$", re.IGNORECASE)
"""Names of planes end with the place on each axis, counted from 1: ``s_C001Z012.tif``."""
AXES = 9
MAX_LENGTH = 1_000_000
UNITS = {"um": "um", "nm": "nm", "mm": "mm"}
MILLISECONDS = {"ms": 1.0, "s": 1000.0, "us": 0.001}
FOLDED_MARKS = {"L": "lambda", "A": "angle", "P": "point", "Q": "other"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which axes there are, and how they become ours."""

    order: str
    """Axis codes as the settings have them, fastest first: ``"XYCZT"``."""
    lengths: Mapping[str, int]
    dtype: str

    @property
    def folded(self) -> str:
        """Axes without a place of their own; they become channels, C outermost."""
        return "".join(code for code in reversed(self.order) if code not in "XYCZT")

    def length(self, code: str) -> int:
        """Return the length of an axis, 1 for one that is not there."""
        return self.lengths.get(code, 1)

    @property
    def folds(self) -> int:
        """How many of our channels one recorded channel makes."""
        return math.prod(self.length(code) for code in self.folded)

    def place(self, name: str) -> tuple[int, int, int] | None:
        """Return t, c, z of the plane in a TIFF, ``None`` for a file that is no plane of the image."""
        found = FRAME_NAME.search(name)
        if found is None:
            return None
        at: dict[str, int] = {}
        for code, digits in re.findall(r"([A-Z])(\d+)", found[1].upper()):
            index = int(digits) - 1
            if code in at or not 0 <= index < self.length(code):
                return None
            at[code] = index
        if any(code not in at for code, length in self.lengths.items() if length > 1 and code not in "XY"):
            return None
        channel = at.get("C", 0)
        for code in self.folded:
            channel = channel * self.length(code) + at.get(code, 0)
        return at.get("T", 0), channel, at.get("Z", 0)


def parse_layout(raw: RawSettings) -> Layout:
    """Return the axes.

    Raises
    ------
    ReadError
        They make no sense, or are those of a line scan.
    """
    order = str(raw.get("Axis Parameter Common", {}).get("AxisOrder", ""))
    lengths: dict[str, int] = {}
    for section in _axis_sections(raw):
        code, length = str(section.get("AxisCode", "")), number(section.get("MaxSize"))
        if code in order and length is not None:
            lengths.setdefault(code, max(1, int(length)))
    if len(set(order)) < len(order) or not order.isalpha() or any(code not in lengths for code in order):
        raise ReadError(f"the settings describe no image: its axes are {order!r}")
    if not order.startswith("XY"):
        raise ReadError(f"an image with the axes {order} is not read: only frames of X and Y are, no line scans")
    planes = math.prod(length for code, length in lengths.items() if code not in "XY")
    check_pages(planes, "planes")
    if max(lengths.values()) > MAX_LENGTH:
        raise ReadError(f"the settings promise {planes} planes; no confocal microscope records so many")
    depth = raw.get("Reference Image Parameter", {}).get("ImageDepth")
    return Layout(order, lengths, "uint8" if depth == 1 else "uint16")


def parse_pixel_sizes(raw: RawSettings) -> tuple[PhysicalSize | None, PhysicalSize | None, PhysicalSize | None]:
    """Return the pixel sizes X, Y, Z; positions are those of the first and the last pixel's centre."""
    reference = raw.get("Reference Image Parameter", {})
    found = []
    for code, side in (("X", "Width"), ("Y", "Height")):
        stated = _length(positive(reference.get(f"{side}ConvertValue")), reference.get(f"{side}Unit"))
        axis = _axis(raw, code)
        found.append(stated or _length(_step(axis), axis.get("UnitName")))
    z = _axis(raw, "Z")
    interval = _length(positive(z.get("Interval")), z.get("UnitName"))
    return found[0], found[1], interval or _length(_step(z), z.get("UnitName"))


def parse_time_increment(raw: RawSettings) -> float | None:
    """Return the seconds between time points."""
    axis = _axis(raw, "T")
    scale = MILLISECONDS.get(str(axis.get("UnitName")))
    step = _step(axis) if (number(axis.get("MaxSize")) or 0) > 1 else None
    return positive(step, scale / 1000) if scale and step else None


def parse_channels(raw: RawSettings, layout: Layout) -> tuple[ChannelInfo, ...]:
    """Return one entry per channel of ours; the folded axes are named: ``"CH1 lambda 3"``."""
    sections = [raw.get(f"Channel {place} Parameters", {}) for place in range(1, layout.length("C") + 1)]
    marks = [
        "".join(f" {FOLDED_MARKS.get(code, code)} {place}" for code, place in zip(layout.folded, places, strict=True))
        for places in product(*(range(layout.length(code)) for code in layout.folded))
    ]
    every = [(number_, section, mark) for number_, section in enumerate(sections) for mark in marks]
    return tuple(
        ChannelInfo(
            index=index,
            name=(words(section.get("CH Name")) or f"Channel {place}") + mark,
            excitation_wavelength_nm=positive(section.get("ExcitationWavelength")),
            emission_wavelength_nm=positive(section.get("EmissionWavelength")),
            dye=_named(section.get("DyeName")),
            contrast_method=_named(section.get("LightType")),
        )
        for index, (place, section, mark) in enumerate(every)
    )


def parse_objective(properties: RawSettings) -> ObjectiveInfo | None:
    """Return the objective from the properties of one plane (a ``.pty`` file)."""
    section = properties.get("Acquisition Parameters Common", {})
    distance = positive(section.get("ObjectiveLens WDValue"))
    found = ObjectiveInfo(
        name=_named(section.get("ObjectiveLens Name")),
        magnification=positive(section.get("Magnification")),
        numerical_aperture=positive(section.get("ObjectiveLens NAValue")),
        working_distance_um=None if distance == 9999 else distance,  # 9999: nobody entered it
    )
    return found if found != ObjectiveInfo() else None


def parse_microscope(raw: RawSettings) -> MicroscopeInfo:
    """Return the microscope."""
    model = words(raw.get("Version Info", {}).get("SystemName")) or words(
        raw.get("Acquisition Parameters Common", {}).get("Acquisition Device")
    )
    return MicroscopeInfo(manufacturer="Olympus", model=model)


def parse_acquired_at(raw: RawSettings) -> Any:
    """Return when the image was recorded; the settings really spell it so."""
    section = raw.get("Acquisition Parameters Common", {})
    return moment(section.get("ImageCaputreDate") or section.get("ImageCaptureDate"))


def parse_vendor(raw: RawSettings) -> dict[str, Any]:
    """Return the settings; the up to thirty-one empty scan groups are left out."""
    return {
        name: dict(section)
        for name, section in raw.items()
        if not (name.startswith("Sequential Group") and not section.get("Sequential Enable"))
    }


def first_properties(names: Iterable[str]) -> str | None:
    """Return the properties of the first plane among the names of files."""
    return min((name for name in names if re.search(r"_[A-Z]\d+[^/\\]*\.pty$", name)), default=None)


def _axis_sections(raw: RawSettings) -> Sequence[Mapping[str, Any]]:
    return [raw.get(f"Axis {place} Parameters Common", {}) for place in range(AXES)]


def _axis(raw: RawSettings, code: str) -> Mapping[str, Any]:
    return next((section for section in _axis_sections(raw) if section.get("AxisCode") == code), {})


def _step(axis: Mapping[str, Any]) -> float | None:
    """Return the distance of neighbours on an axis."""
    first, last, count = (number(axis.get(key)) for key in ("StartPosition", "EndPosition", "MaxSize"))
    if first is None or last is None or count is None or count < 2:
        return None
    return positive(abs(last - first) / (count - 1))


def _length(value: float | None, unit: object) -> PhysicalSize | None:
    known = UNITS.get(str(unit))
    return PhysicalSize.known(value, known) if known else None  # type: ignore[arg-type]  # the dict holds units only


def _named(value: object) -> str | None:
    text = words(value)
    return None if text in (None, "None", "(null)") else text
