"""The metadata of an ND2 file as our values. Pure: foreign dictionaries come in, frozen values go out.

The dictionaries are those of the ``nd2`` package with the vendor's own keys (``sPicturePlanes``, ``dCalibration``).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from coverslip.model import ChannelInfo, MicroscopeInfo, ObjectiveInfo, PhysicalSize
from coverslip.readers.units import seconds
from coverslip.readers.vendor_metadata import (
    moment,
    number,
    optional,
    positive,
    seconds_since_epoch,
    vendor_document,
    words,
)

RawPicture = Mapping[str, Any]
"""``SLxPictureMetadata``: calibration, objective, and the planes (channels) with their settings."""

JULIAN_DAY_OF_EPOCH = 2440587.5
DATE_FORMATS = ("%m/%d/%Y %I:%M:%S %p", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M:%S")
TIME_AXIS = 2
MEDIA = {"Air": 1.0, "Water": 1.333, "Silicone": 1.406, "Glycerol": 1.46, "Oil": 1.515}


@dataclass(frozen=True, slots=True)
class Nd2Document:
    """What the file says besides its pixels; all of it optional."""

    channels: tuple[ChannelInfo, ...] = ()
    component_counts: tuple[int, ...] = ()
    """How many components each channel has: 3 for colour cameras."""
    pixel_size_x: PhysicalSize | None = None
    pixel_size_y: PhysicalSize | None = None
    objective: ObjectiveInfo | None = None
    microscope: MicroscopeInfo | None = None
    acquired_at: datetime | None = None
    vendor: dict[str, Any] = field(default_factory=dict)


def parse_document(picture: RawPicture, text: Mapping[str, Any], vendor: Mapping[str, Any]) -> Nd2Document:
    """Return what the dictionaries say; a part that is broken is simply not known.

    Parameters
    ----------
    picture
        The picture metadata, keys unchanged.
    text
        The text information: ``description``, ``date``, ``optics`` ...
    vendor
        All of it, to be kept as a searchable document.
    """
    described = text.get("description")
    description = described if isinstance(described, str) else ""
    return Nd2Document(
        channels=optional(lambda: parse_channels(picture, description), ()),
        component_counts=optional(lambda: tuple(int(plane.get("uiCompCount", 1)) for plane in _planes(picture)), ()),
        pixel_size_x=optional(lambda: parse_pixel_size(picture, "X"), None),
        pixel_size_y=optional(lambda: parse_pixel_size(picture, "Y"), None),
        objective=optional(lambda: parse_objective(picture, text), None),
        microscope=optional(lambda: parse_microscope(picture, description), None),
        acquired_at=optional(lambda: parse_acquired_at(picture, text), None),
        vendor=optional(lambda: vendor_document(vendor), {}),
    )


def parse_channels(picture: RawPicture, description: str) -> tuple[ChannelInfo, ...]:
    """Return the channels in the order of their components."""
    planes = _planes(picture)
    sections = plane_sections(description, len(planes))
    samples = _mapping(_mapping(picture.get("sPicturePlanes")).get("sSampleSetting"))
    return tuple(
        _channel(i, plane, _mapping(samples.get(f"a{plane.get('uiSampleIndex') or i}")), section)
        for i, (plane, section) in enumerate(zip(planes, sections, strict=True))
    )


def _channel(index: int, plane: Mapping[str, Any], sample: Mapping[str, Any], section: str) -> ChannelInfo:
    """Return one channel from its plane, its sample settings and its part of the description."""
    probe = _mapping(plane.get("pFluorescentProbe"))
    filters = _mapping(_mapping(plane.get("pFilterPath")).get("m_pFilter"))
    light = _mapping(next(iter(filters.values()), None))
    exposure = positive(sample.get("dExposureTime"), 1e-3)
    stated = re.search(r"Exposure:\s*([\d.]+)\s*(ms|s|us|µs)\b", section)
    if exposure is None and stated:
        exposure = seconds(stated[1], stated[2])
    gain = re.search(r"(?:Multiplier|(?<!Conversion )Gain):\s*([\d.]+)", section)
    modality = re.search(r"Modality:\s*(\S[^\r\n]*)", section)
    return ChannelInfo(
        index=index,
        name=words(plane.get("sDescription")) or f"Channel {index}",
        color=parse_color(plane.get("uiColor")),
        excitation_wavelength_nm=_laser_line(section)
        or peak(probe.get("m_ExcitationSpectrum"))
        or peak(light.get("m_ExcitationSpectrum")),
        emission_wavelength_nm=peak(probe.get("m_EmissionSpectrum")) or peak(light.get("m_EmissionSpectrum")),
        exposure_time_s=exposure,
        gain=number(gain[1]) if gain else None,
        dye=words(probe.get("m_sName")),
        contrast_method=words(modality[1]) if modality else None,
    )


def plane_sections(description: str, count: int) -> list[str]:
    """Return the part of the description that belongs to each plane; a single plane has no heading."""
    parts = re.split(r"Plane #\d+:", description)
    if count == 1:
        return [description]
    return parts[1:] if len(parts) == count + 1 else [""] * count


def _laser_line(section: str) -> float | None:
    """Return the one laser line that was on, ``None`` where there were none or several."""
    lines = set(re.findall(r"ExW:\s*([\d.]+);[^\r\n]*;\s*On\b", section))
    return positive(lines.pop()) if len(lines) == 1 else None


def peak(spectrum: object) -> float | None:
    """Return the wavelength of a spectrum's maximum, ``None`` where it has none or several."""
    points = [_mapping(point) for point in _mapping(_mapping(spectrum).get("pPoint")).values()]
    heights = [number(point.get("dTValue")) or 0.0 for point in points]
    if not points or heights.count(max(heights)) > 1:
        return None
    return positive(points[heights.index(max(heights))].get("dWavelength"))


def parse_color(value: object) -> str | None:
    """Return ``#rrggbb`` from a number whose lowest byte is red."""
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return f"#{value & 255:02x}{value >> 8 & 255:02x}{value >> 16 & 255:02x}"


def parse_pixel_size(picture: RawPicture, axis: str) -> PhysicalSize | None:
    """Return the pixel size in x or y; 1 without a calibration is the vendor's word for *unknown*.

    The axes of a line scan over time have none.
    """
    size = number(picture.get("dCalibration"))
    is_unknown = size is None or (size == 1 and not picture.get("bCalibrated"))
    if is_unknown or picture.get(f"ePicture{axis}Axis") == TIME_AXIS:
        return None
    return PhysicalSize.known(size)


def parse_objective(picture: RawPicture, text: Mapping[str, Any]) -> ObjectiveInfo | None:
    """Return the objective."""
    setting = _mapping(_first_sample(picture).get("pObjectiveSetting"))
    name = words(setting.get("wsObjectiveName")) or words(picture.get("wsObjectiveName")) or words(text.get("optics"))
    in_name = re.search(r"(\d+(?:\.\d+)?)\s?x", name or "", re.IGNORECASE)
    index = positive(setting.get("dRefractIndex")) or positive(picture.get("dRefractIndex1"))
    info = ObjectiveInfo(
        name=name,
        magnification=positive(setting.get("dObjectiveMag"))
        or positive(picture.get("dObjectiveMag"))
        or (positive(in_name[1]) if in_name else None),
        numerical_aperture=positive(setting.get("dObjectiveNA")) or positive(picture.get("dObjectiveNA")),
        immersion=next((medium for medium, n in MEDIA.items() if index and abs(index - n) < 0.008), None),
    )
    return info if info.name or info.magnification or info.numerical_aperture else None


def parse_microscope(picture: RawPicture, description: str) -> MicroscopeInfo | None:
    """Return the instrument, ``None`` where the file names none."""
    device = _mapping(_first_sample(picture).get("pDeviceSetting"))
    stated = re.search(r"Microscope:\s*(\S[^\r\n]*)", description)
    model = (
        words(device.get("m_sMicroscopePhysFullName"))
        or words(device.get("m_sMicroscopeFullName"))
        or (words(stated[1]) if stated else None)
    )
    maker = "Nikon" if model and model.startswith("Nikon") else None
    return MicroscopeInfo(manufacturer=maker, model=model) if model else None


def parse_acquired_at(picture: RawPicture, text: Mapping[str, Any]) -> datetime | None:
    """Return when the acquisition began: the Julian day (UTC), else the text, which is local and knows no zone."""
    day = positive(picture.get("dTimeAbsolute"))
    when = seconds_since_epoch((day - JULIAN_DAY_OF_EPOCH) * 86_400) if day else None
    return when or moment(text.get("date"), DATE_FORMATS)


def time_increment(loops: Sequence[Any]) -> float | None:
    """Return the mean time between two time points in seconds.

    Parameters
    ----------
    loops
        Loops of the ``nd2`` package. Measured means win over planned periods, which are 0 for *as fast as possible*.
    """
    for loop in loops:
        if loop.type == "TimeLoop":
            return _period(loop.parameters)
        if loop.type == "NETimeLoop":
            periods = [(_period(period), period.count) for period in loop.parameters.periods]
            known = [(step, count) for step, count in periods if step is not None and count > 0]
            total = sum(count for _, count in known)
            return sum(step * count for step, count in known) / total if total else None
    return None


def _period(period: Any) -> float | None:
    measured = positive(period.periodDiff.avg, 1e-3) if period.periodDiff else None
    return measured or positive(period.periodMs, 1e-3)


def z_step(loops: Sequence[Any]) -> PhysicalSize | None:
    """Return the distance of two slices, ``None`` where there is no z-stack."""
    steps = [number(loop.parameters.stepUm) for loop in loops if loop.type == "ZStackLoop"]
    return PhysicalSize.known(abs(steps[0])) if steps and steps[0] is not None else None


def stage_position(point: Any) -> tuple[float, float] | None:
    """Return where the stage stood, X and Y in micrometres, from a point of the ``nd2`` package's loop."""
    x, y = (number(value) for value in point.stagePositionUm[:2])
    return None if x is None or y is None else (x, y)


def _planes(picture: RawPicture) -> list[Mapping[str, Any]]:
    """Return the planes (channels) in the file's order."""
    planes = _mapping(picture.get("sPicturePlanes"))
    found = planes.get("sPlaneNew") or planes.get("sPlane")
    return [_mapping(plane) for plane in _mapping(found).values()]


def _first_sample(picture: RawPicture) -> Mapping[str, Any]:
    """Return the settings of the first exposure."""
    samples = _mapping(_mapping(picture.get("sPicturePlanes")).get("sSampleSetting"))
    return _mapping(next(iter(samples.values()), None))


def _mapping(value: object) -> Mapping[str, Any]:
    """Return the value when it is a dictionary, an empty one otherwise."""
    return value if isinstance(value, Mapping) else {}
