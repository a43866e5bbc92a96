"""The XML description of a LIF image as our values. Pure: an element comes in, frozen values go out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from coverslip.model import ChannelInfo, MicroscopeInfo, ObjectiveInfo, PhysicalSize
from coverslip.readers.lif.layout import IMAGE, Axis
from coverslip.readers.units import length, micrometers, seconds
from coverslip.readers.vendor_metadata import (
    bounded,
    element_document,
    mean_step,
    number,
    positive,
    seconds_since_epoch,
    words,
)

HARDWARE = './Data/Image/Attachment[@Name="HardwareSetting"]'
SETTINGS = ("ATLConfocalSettingDefinition", "ATLCameraSettingDefinition")
OLD_RECORDS = './Data/Image/Attachment[@Name="HardwareSettingList"]//'
COLORS = {
    "red": "#ff0000",
    "green": "#00ff00",
    "blue": "#0000ff",
    "cyan": "#00ffff",
    "magenta": "#ff00ff",
    "yellow": "#ffff00",
    "gray": "#ffffff",
    "grey": "#ffffff",
}
SPECTRAL = {"λ": "emission_wavelength_nm", "Λ": "excitation_wavelength_nm"}
"""Axes over wavelengths, and what they are of a channel."""
LONGEST_NM = 100_000
TICKS_PER_SECOND = 10_000_000
TICKS_TO_EPOCH = 116_444_736_000_000_000
"""100 ns ticks from 1601 to 1970: the clock of the time stamps."""


@dataclass(frozen=True, slots=True)
class Tile:
    """Where one tile of a mosaic lies."""

    column: int
    row: int
    stage_um: tuple[float, float]
    """Stage position, X and Y in micrometres."""


def parse_channels(element: ET.Element) -> tuple[ChannelInfo, ...]:
    """Return the stored channels in the order of their bytes; dyes, gains and laser lines where unambiguous."""
    described = element.findall(f"{IMAGE}/Channels/ChannelDescription")
    found = sorted(described, key=lambda item: int(item.get("BytesInc") or 0))
    dyes = _if_one_each(_dyes(element), len(found))
    gains = _if_one_each([item.get("Gain") for item in _active_detectors(element)], len(found))
    lines = _if_one_each(_laser_lines(element), len(found))
    fields = _if_one_each(_wide_fields(element), len(found))
    channels = [
        _channel(i, description, dye=dyes[i], gain=gains[i], line=lines[i], camera=fields[i])
        for i, description in enumerate(found)
    ]
    names = [channel.name for channel in channels]
    return tuple(
        channel.model_copy(update={"name": f"{channel.name} {i}"}) if names.count(channel.name) > 1 else channel
        for i, channel in enumerate(channels)
    )


def _if_one_each[T](values: Sequence[T], count: int) -> list[T | None]:
    """Return the values when there is exactly one for each channel, nothing for each otherwise."""
    return list(values) if len(values) == count else [None] * count


def _channel(
    index: int, found: ET.Element, *, dye: str | None, gain: str | None, line: str | None, camera: ET.Element | None
) -> ChannelInfo:
    """Return one channel from its description and what the hardware settings say about it."""
    properties = {words(item.findtext("Key")): words(item.findtext("Value")) for item in found.iter("ChannelProperty")}
    field = ET.Element("none") if camera is None else camera
    stain = clean_dye(properties.get("DyeName")) or clean_dye(dye)
    table = words(found.get("LUTName")) or words(field.get("LUT"))
    return ChannelInfo(
        index=index,
        name=stain or words(field.get("UserDefName")) or table or f"Channel {index}",
        color=COLORS.get((table or "").lower()),
        excitation_wavelength_nm=positive(field.get("ExcitationWavelength")) or positive(line),
        emission_wavelength_nm=positive(field.get("EmissionWavelength")),
        exposure_time_s=positive(field.get("ExposureTime")),
        gain=number(gain),
        dye=stain,
        contrast_method=words(field.get("ContrastingMethodName")),
    )


def clean_dye(name: str | None) -> str | None:
    """Return the name of a dye without the folder of Leica's own dye list."""
    return words((name or "").removeprefix("Leica/"))


def _definitions(element: ET.Element) -> list[ET.Element]:
    """Return the settings the image was taken with: one of each sequential scan, else the only ones."""
    hardware = element.find(HARDWARE)
    if hardware is None:
        return []
    for block in ("LDM_Block_Sequential", "LDM_Block_Widefield_Sequential"):
        steps = hardware.find(f"{block}/LDM_Block_Sequential_List")
        sequential = [] if steps is None else [step for step in steps if step.tag in SETTINGS]
        if sequential:
            return sequential
    return [item for item in hardware if item.tag in SETTINGS][:1]


def _dyes(element: ET.Element) -> list[str]:
    """Return the dyes of all detection bands in use, in the order of the scans."""
    bands = [band for step in _definitions(element) for band in step.iter("MultiBand")]
    return [band.get("DyeName", "") for band in bands if band.get("DyeName")]


def _active_detectors(element: ET.Element) -> list[ET.Element]:
    detectors = [item for step in _definitions(element) for item in step.iter("Detector")]
    return [item for item in detectors if item.get("IsActive") == "1"]


def _laser_lines(element: ET.Element) -> list[str | None]:
    """Return the laser line of each scan when every scan used exactly one: only then it belongs to one channel."""
    lines: list[str | None] = []
    for step in _definitions(element):
        used = {line.get("LaserLine") for line in step.iter("LaserLineSetting") if positive(line.get("IntensityDev"))}
        if len(used) != 1:
            return []
        lines.append(used.pop())
    return lines


def _wide_fields(element: ET.Element) -> list[ET.Element]:
    fields = [item for step in _definitions(element) for item in step.iter("WideFieldChannelInfo")]
    active = [item for item in fields if item.get("IsActive", item.get("Active", "1")) == "1"]
    return active or fields


def parse_pixel_size(axis: Axis | None) -> PhysicalSize | None:
    """Return the distance of two elements of an axis; the file gives that of the first from the last."""
    if axis is None or axis.length < 2:
        return None
    return micrometers(abs(axis.extent) / (axis.length - 1), axis.unit)


def parse_wavelengths(axis: Axis) -> list[float] | None:
    """Return the wavelength of every element of a spectral axis in nm; ``None`` where the file gives none."""
    if axis.name not in SPECTRAL or axis.length < 2 or not axis.extent:
        return None
    step = axis.extent / (axis.length - 1)
    sizes = [length(axis.origin + step * i, axis.unit) for i in range(axis.length)]
    found = [size.micrometers * 1000 for size in sizes if size is not None]
    return found if len(found) == axis.length and all(value < LONGEST_NM for value in found) else None


def parse_tiles(element: ET.Element, count: int) -> list[Tile]:
    """Return where each tile of a mosaic lies; nothing where the file does not say it of each."""
    found = element.findall('./Data/Image/Attachment[@Name="TileScanInfo"]/Tile')
    if len(found) != count:
        return []
    tiles = [
        Tile(
            column=int(tile.attrib["FieldX"]),
            row=int(tile.attrib["FieldY"]),
            stage_um=(float(tile.attrib["PosX"]) * 1e6, float(tile.attrib["PosY"]) * 1e6),
        )
        for tile in found
    ]
    return tiles if all(math.isfinite(place) for tile in tiles for place in tile.stage_um) else []


def parse_time_increment(axis: Axis | None, stamps: Sequence[float]) -> float | None:
    """Return the mean time between two time points in seconds: from the axis, else from the time stamps."""
    if axis is None or axis.length < 2:
        return None
    stated = seconds(abs(axis.extent) / (axis.length - 1), axis.unit)
    if stated is not None or len(stamps) % axis.length or len(stamps) < axis.length:
        return stated
    return mean_step(stamps[:: len(stamps) // axis.length])


def parse_stamps(element: ET.Element) -> list[float]:
    """Return the time stamps in seconds since 1970, in the order the frames were taken."""
    found = element.find("./Data/Image/TimeStampList")
    if found is None:
        return []
    ticks = [int(text, 16) for text in (found.text or "").split()]
    ticks += [
        (int(item.attrib["HighInteger"]) << 32) + int(item.attrib["LowInteger"]) for item in found.iter("TimeStamp")
    ]
    return [(tick - TICKS_TO_EPOCH) / TICKS_PER_SECOND for tick in ticks]


def parse_acquired_at(stamps: Sequence[float]) -> datetime | None:
    """Return when the first frame was taken."""
    return seconds_since_epoch(stamps[0]) if stamps else None


def parse_objective(element: ET.Element) -> ObjectiveInfo | None:
    """Return the objective, ``None`` where the settings name none."""
    facts = next((step.attrib for step in _definitions(element)), {})
    old = _old_records(element)
    info = ObjectiveInfo(
        name=words(facts.get("ObjectiveName")) or words(old.get("Objective")),
        magnification=positive(facts.get("Magnification")) or positive(old.get("Magnification")),
        numerical_aperture=positive(facts.get("NumericalAperture")) or positive(old.get("NumericalAperture")),
        immersion=words(facts.get("Immersion")) or words(old.get("Immersion")),
    )
    return info if info != ObjectiveInfo() else None


def parse_microscope(element: ET.Element) -> MicroscopeInfo | None:
    """Return the instrument, ``None`` where the settings name none."""
    hardware = element.find(HARDWARE)
    system = hardware.attrib if hardware is not None else {}
    facts = next((step.attrib for step in _definitions(element)), {})
    stand = {"0": "Upright", "1": "Inverted"}.get(facts.get("IsInverseMicroscopeModel", ""))
    names = [words(system.get("SystemTypeName")), words(facts.get("MicroscopeModel"))]
    model = " ".join(name for name in names if name) or words(_old_records(element).get("SystemType"))
    serial = words(facts.get("SystemSerialNumber")) or words(system.get("SystemSerialNumber"))
    return MicroscopeInfo(model=model, serial_number=serial, type=stand) if model or serial else None


def _old_records(element: ET.Element) -> dict[str, str]:
    """Return the settings as older LAS AF wrote them: a list of names and values."""
    scanner = {item.get("Identifier", ""): item for item in element.findall(f"{OLD_RECORDS}ScannerSettingRecord")}
    filters = {item.get("Attribute", ""): item for item in element.findall(f"{OLD_RECORDS}FilterSettingRecord")}
    return {name: item.get("Variant", "") for name, item in (scanner | filters).items()}


def parse_vendor(element: ET.Element) -> dict[str, Any]:
    """Return all the document says about the image, without the images below it."""
    alone = ET.Element(element.tag, element.attrib)
    alone.extend(child for child in element if child.tag != "Children")
    return {"Element": bounded(element_document(alone))}
