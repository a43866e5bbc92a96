"""The XML document of a CZI file as our values. Pure: an element comes in, frozen values go out.

Element names as in ZEISS' public description of the format, https://zeiss.github.io/libczi/.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from coverslip.model import ChannelInfo, MicroscopeInfo, ObjectiveInfo, PhysicalSize
from coverslip.readers.units import micrometers, seconds
from coverslip.readers.vendor_metadata import (
    bounded,
    element_document,
    mean_step,
    moment,
    number,
    optional,
    parse_xml,
    positive,
    words,
)

IMAGE = "./Metadata/Information/Image"
SECONDS_PER_DAY = 86_400
OLE_DAYS = (32_874, 58_440)
"""The years 1990 to 2059 as OLE dates."""
OLE_STEP = 0.01
"""Below this, a step at such a time is meant in days: 10 ms nine hours into an experiment is not seen."""


@dataclass(frozen=True, slots=True)
class CziDocument:
    """What the file-level document says; all of it optional."""

    channels: tuple[ChannelInfo, ...] = ()
    """In the order of the C coordinate."""
    scene_names: dict[int, str] = field(default_factory=dict)
    """By scene coordinate."""
    pixel_sizes: dict[str, PhysicalSize] = field(default_factory=dict)
    """By axis ``"X"``, ``"Y"``, ``"Z"``; axes without a usable size are absent."""
    time_increment_s: float | None = None
    objective: ObjectiveInfo | None = None
    microscope: MicroscopeInfo | None = None
    acquired_at: datetime | None = None
    vendor: dict[str, Any] = field(default_factory=dict)


def parse_document(xml: str) -> CziDocument:
    """Return what the metadata document of a file says; a part that is broken is simply not known."""
    root = optional(lambda: parse_xml(xml), None) if xml else None
    if root is None:
        return CziDocument()
    return CziDocument(
        channels=optional(lambda: parse_channels(root), ()),
        scene_names=optional(lambda: parse_scene_names(root), {}),
        pixel_sizes=optional(lambda: parse_pixel_sizes(root), {}),
        time_increment_s=optional(lambda: parse_time_increment(root), None),
        objective=optional(lambda: parse_objective(root), None),
        microscope=optional(lambda: parse_microscope(root), None),
        acquired_at=optional(lambda: parse_acquired_at(root), None),
        vendor=optional(lambda: bounded({root.tag: element_document(root)}), {}),
    )


def parse_channels(root: ET.Element) -> tuple[ChannelInfo, ...]:
    """Return the channels in the order of the C coordinate.

    ``Information/Image`` lists them with their optics, ``DisplaySetting`` with names and colours. The two lists
    belong together by id; where ids differ (after processing in ZEN), by position.
    """
    acquired = root.findall(f"{IMAGE}/Dimensions/Channels/Channel")
    shown = root.findall("./Metadata/DisplaySetting/Channels/Channel")
    by_id = {element.get("Id"): element for element in shown}
    known = {element.get("Id") for element in acquired}
    strays = {i: element for i, element in enumerate(shown) if element.get("Id") not in known}
    if not acquired:
        return tuple(_channel(i, None, element, None) for i, element in enumerate(shown))
    return tuple(
        _channel(i, element, by_id.get(element.get("Id")), strays.get(i)) for i, element in enumerate(acquired)
    )


def _channel(
    index: int, acquired: ET.Element | None, shown: ET.Element | None, stray: ET.Element | None
) -> ChannelInfo:
    """Return one channel from its up to three descriptions."""
    optics = ET.Element("none") if acquired is None else acquired
    display = shown if shown is not None else stray if stray is not None else ET.Element("none")
    names = (_name(shown), _name(acquired), _name(stray), words(optics.get("Id")), words(display.get("Id")))
    return ChannelInfo(
        index=index,
        name=next((name for name in names if name), f"Channel {index}"),
        color=parse_color(optics.findtext("Color")) or parse_color(display.findtext("Color")),
        excitation_wavelength_nm=_first_wavelength(
            optics.findtext("ExcitationWavelength"),
            optics.findtext("IlluminationWavelength/SinglePeak"),
            optics.findtext("LightSourcesSettings/LightSourceSettings/Wavelength"),
            display.findtext("DyeMaxExcitation"),
        ),
        emission_wavelength_nm=_first_wavelength(
            optics.findtext("EmissionWavelength"), display.findtext("DyeMaxEmission")
        ),
        exposure_time_s=seconds(optics.findtext("ExposureTime"), "ns"),
        gain=_first_number(optics.findtext("DetectorSettings/Gain"), optics.findtext("DetectorSettings/EMGain")),
        dye=words(optics.findtext("Fluor")) or words(display.findtext("DyeName")),
        contrast_method=words(optics.findtext("ContrastMethod")),
    )


def _name(element: ET.Element | None) -> str | None:
    return None if element is None else words(element.get("Name")) or words(element.findtext("Name"))


def _first_wavelength(*texts: str | None) -> float | None:
    """Return the first usable wavelength in nanometres; some writers give metres."""
    found = next((value for value in map(positive, texts) if value is not None), None)
    return found * 1e9 if found is not None and found < 1e-3 else found


def _first_number(*texts: str | None) -> float | None:
    return next((value for value in map(number, texts) if value is not None), None)


def parse_color(text: str | None) -> str | None:
    """Return ``#rrggbb`` from ``#AARRGGBB`` or ``#RRGGBB``."""
    digits = (text or "").strip().removeprefix("#").lower()
    if len(digits) not in {6, 8} or not set(digits) <= set("0123456789abcdef"):
        return None
    return f"#{digits[-6:]}"


def parse_scene_names(root: ET.Element) -> dict[int, str]:
    """Return the names of the scenes (wells, regions) by scene coordinate."""
    scenes = root.findall(f"{IMAGE}/Dimensions/S/Scenes/Scene")
    named = ((scene.get("Index"), _name(scene)) for scene in scenes)
    return {int(index): name for index, name in named if index and index.isdecimal() and name}


def parse_pixel_sizes(root: ET.Element) -> dict[str, PhysicalSize]:
    """Return the pixel sizes by axis; the document gives metres and 0 for *unknown*."""
    distances = root.findall("./Metadata/Scaling/Items/Distance")
    sizes = {item.get("Id", ""): micrometers(item.findtext("Value"), "m") for item in distances}
    return {axis: size for axis, size in sizes.items() if size is not None}


def parse_time_increment(root: ET.Element) -> float | None:
    """Return the mean time between two time points in seconds."""
    positions = root.find(f"{IMAGE}/Dimensions/T/Positions")
    if positions is not None:
        stated = positive(positions.findtext("Interval/Increment"))
        offsets = [number(text) for text in (positions.findtext("List/Offsets") or "").split()]
        if stated is not None:
            return stated
        if len(offsets) > 1:
            return mean_step([value for value in offsets if value is not None])
    interval = root.find("./Metadata/Experiment//Interval/TimeSpan")
    if interval is None:
        return None
    return seconds(interval.findtext("Value"), words(interval.findtext("DefaultUnitFormat")) or "s")


def step_of_stamps(stamps: Sequence[float]) -> float | None:
    """Return the mean step of time stamps in seconds.

    Most writers give seconds, some give days since 1899 (OLE dates). A series that could be either is unknown.
    """
    step = mean_step(stamps)
    if step is None or not OLE_DAYS[0] < stamps[0] < OLE_DAYS[1]:
        return step
    return step * SECONDS_PER_DAY if step < OLE_STEP else None


def parse_objective(root: ET.Element) -> ObjectiveInfo | None:
    """Return the objective the image was taken with, else the only information there is: its name."""
    wanted = root.find(f"{IMAGE}/ObjectiveSettings/ObjectiveRef")
    lenses = root.findall("./Metadata/Information/Instrument/Objectives/Objective")
    chosen = [lens for lens in lenses if wanted is not None and lens.get("Id") == wanted.get("Id")] or lenses
    if not chosen:
        name = words(root.findtext("./Metadata/Scaling/AutoScaling/ObjectiveName"))
        return ObjectiveInfo(name=name) if name else None
    lens = chosen[0]
    return ObjectiveInfo(
        name=_name(lens) or words(lens.findtext("Manufacturer/Model")),
        magnification=positive(lens.findtext("NominalMagnification")),
        numerical_aperture=positive(lens.findtext("LensNA")),
        immersion=words(lens.findtext("Immersion")),
        working_distance_um=positive(lens.findtext("WorkingDistance")),
        correction=words(lens.findtext("Correction")),
    )


def parse_microscope(root: ET.Element) -> MicroscopeInfo | None:
    """Return the instrument, ``None`` where the document names none."""
    found = root.find("./Metadata/Information/Instrument/Microscopes/Microscope")
    if found is None:
        return None
    info = MicroscopeInfo(
        manufacturer=words(found.findtext("Manufacturer/Manufacturer")),
        model=words(found.findtext("Manufacturer/Model")) or words(found.findtext("System")) or _name(found),
        serial_number=words(found.findtext("Manufacturer/SerialNumber")) or words(found.findtext("SerialNumber")),
        type=words(found.findtext("Type")),
    )
    return info if info != MicroscopeInfo() else None


def parse_acquired_at(root: ET.Element) -> datetime | None:
    """Return when the acquisition began."""
    texts = (f"{IMAGE}/AcquisitionDateAndTime", f"{IMAGE}/Dimensions/T/StartTime")
    return next((when for when in (moment(root.findtext(path)) for path in texts) if when is not None), None)
