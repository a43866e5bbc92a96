"""What the TIFF dialects say about an image: foreign dicts -> ``Facts``. Pure; OME-XML has its own module.

ImageJ: https://imagej.net/ij/source/ij/io/FileInfo.java and TiffEncoder.java. LSM: Zeiss LSM 5/7 file format. STK:
Molecular Devices' MetaMorph Stack file format.
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.model import MicroscopeInfo, ObjectiveInfo, PhysicalSize
from coverslip.readers.tiff.facts import Facts, entries, metres, objective_named, rgb
from coverslip.readers.units import length, seconds
from coverslip.readers.vendor_metadata import mean_step, moment, number, positive, vendor_document, words

if TYPE_CHECKING:
    from numpy.typing import NDArray

RawDict = Mapping[str, Any]
"""A dict as tifffile gives it: the vendor's keys."""

PRINT_UNITS = ("inch", "inches", "in", "cm", "centimeter")
"""Units of print resolution: ImageJ copies them from the TIFF tags, whatever the picture shows."""
LARGEST_PIXEL_UM = 10.0
"""A print unit gives a microscope's pixel size only up to here; 2400 dpi, the finest printers, is 10.6 µm."""
RESOLUTION_UNITS = {2: "inch", 3: "cm", 4: "mm", 5: "um"}
"""TIFF tag 296; 4 and 5 are extensions."""
SLICE_LABEL = re.compile(r"^(?:[czt]:\d+/\d+\s*)+(?:-\s*)?")
EXPOSURE = re.compile(r"Exposure:\s*(\d+(?:\.\d+)?)\s*(\w+)")
OLE_EPOCH = datetime(1899, 12, 30)  # LSM counts days of local time from here


def plausible_pixel(resolution: float | None, unit: object) -> PhysicalSize | None:
    """Return 1 / resolution in micrometres where that is a microscope's pixel: 7038270 per cm is, 72 dpi is not."""
    per_unit = positive(resolution)
    size = length(1 / per_unit, unit) if per_unit else None
    if size is None or size.micrometers > LARGEST_PIXEL_UM:
        return None
    return length(f"{size.micrometers:.12g}", "um")


def imagej(raw: RawDict, resolution: tuple[float | None, float | None], ramp: str | None = None) -> Facts:
    """Return the facts of an ImageJ hyperstack.

    Parameters
    ----------
    raw
        Description and IJMetadata as one dict.
    resolution
        Pixels per unit along x and y.
    ramp
        Colour of the file's colour table, see ``ramp_color``.
    """
    unit = raw.get("unit")
    printed = (words(unit) or "").lower() in PRINT_UNITS

    def size(per_unit: float | None, key: str) -> PhysicalSize | None:
        own = raw.get(key, unit)
        value = positive(per_unit)
        return plausible_pixel(value, own) if printed else length(1 / value, own) if value else None

    spacing = number(raw.get("spacing"))
    return Facts(
        pixel_size_x=size(resolution[0], "unit"),
        pixel_size_y=size(resolution[1], "yunit"),
        pixel_size_z=length(abs(spacing), raw.get("zunit", unit)) if spacing and not printed else None,
        time_increment_s=seconds(raw.get("finterval"), words(raw.get("tunit")) or "s"),
        channels=_imagej_channels(raw, ramp),
        vendor=vendor_document({"ImageJ": {key: value for key, value in raw.items() if key != "LUTs"}}),
    )


def _imagej_channels(raw: RawDict, ramp: str | None) -> tuple[RawDict, ...]:
    count = int(positive(raw.get("channels")) or 1)
    names = _channel_labels(raw, count)
    tables = raw.get("LUTs") if raw.get("mode") != "grayscale" else None
    colors = [rgb(*(channel[-1] for channel in table)) for table in tables or ()]
    colors += [ramp if count == 1 and not colors else None] * (count - len(colors))
    return tuple({"name": names[c], "color": colors[c]} for c in range(count))


def _channel_labels(raw: RawDict, count: int) -> Sequence[str | None]:
    """Return one name per channel where the slice labels say the same of every plane of a channel."""
    labels = [SLICE_LABEL.sub("", label).strip() for label in raw.get("Labels") or () if isinstance(label, str)]
    nameless: Sequence[str | None] = [None] * count
    if count < 2 or not labels or len(labels) % count:
        return nameless
    names = [set(labels[c::count]) for c in range(count)]
    unique = {next(iter(own)) for own in names if len(own) == 1} - {""}
    return [next(iter(own)) for own in names] if len(unique) == count else nameless


def ramp_color(table: "Sequence[Sequence[int]] | NDArray[np.uint16] | None") -> str | None:
    """Return the colour of a table that runs from black to one colour; ``None`` for grey and for any other table.

    Parameters
    ----------
    table
        Red, green, blue; each at least 3 numbers of 16 bits, as TIFF has them.
    """
    if table is None or len(table) != 3 or len(table[0]) < 3:
        return None
    first, middle, last = ([int(part[i]) >> 8 for part in table] for i in (0, len(table[0]) // 2, -1))
    is_ramp = not any(first) and all(abs(2 * half - full) <= 4 for half, full in zip(middle, last, strict=True))
    return rgb(*last) if is_ramp and len(set(last)) > 1 else None


def lsm(raw: RawDict, *, is_thumbnail: bool) -> Facts:
    """Return the facts of a Zeiss LSM image; a thumbnail has no pixel size of its own."""
    scan = raw.get("ScanInformation") or {}
    vendor = vendor_document({"LSM": {key: value for key, value in raw.items() if not key.endswith("Lut")}})
    if is_thumbnail:
        return Facts(name="Thumbnail", vendor=vendor)
    x, y, z = (metres(raw.get(f"VoxelSize{axis}")) for axis in "XYZ")
    days = positive(scan.get("Sample0time"))
    return Facts(
        name=words(raw.get("Name")) or words(scan.get("Name")),
        pixel_size_x=x,
        pixel_size_y=y,
        pixel_size_z=z,
        time_increment_s=_lsm_time_step(raw),
        channels=_lsm_channels(raw, scan),
        objective=objective_named(scan.get("Objective")),
        microscope=MicroscopeInfo(manufacturer="Carl Zeiss"),
        acquired_at=OLE_EPOCH + timedelta(days=days) if days and days < 1e6 else None,
        vendor=vendor,
    )


def _lsm_time_step(raw: RawDict) -> float | None:
    stamps = raw.get("TimeStamps")
    if stamps is not None and len(stamps) > 1:
        return mean_step([float(stamp) for stamp in stamps])
    return seconds(raw.get("TimeIntervall"))


def _lsm_channels(raw: RawDict, scan: RawDict) -> tuple[RawDict, ...]:
    shown = raw.get("ChannelColors") or {}
    colors = [rgb(*color[:3]) for color in shown.get("Colors") or ()]
    details = _lsm_detectors(scan)
    return tuple(
        {**details.get(name, {}), "name": words(name), "color": colors[c] if c < len(colors) else None}
        for c, name in enumerate(shown.get("ColorNames") or ())
    )


def _lsm_detectors(scan: RawDict) -> dict[str, RawDict]:
    """Return dye, gain and wavelengths by the name of the detection channel."""
    found: dict[str, RawDict] = {}
    for track in entries(scan.get("Tracks")):
        lasers = [item for item in entries(track.get("IlluminationChannels")) if item.get("Aquire")]
        for detector in entries(track.get("DetectionChannels")):
            if not detector.get("Acquire"):
                continue
            found[str(detector.get("ChannelName"))] = {
                "dye": words(detector.get("DyeName")),
                "gain": positive(detector.get("DetectorGainFirst")),
                "excitation_wavelength_nm": positive(lasers[0].get("Wavelength")) if len(lasers) == 1 else None,
                "emission_wavelength_nm": _middle(
                    detector.get("SpiWavelengthStart"), detector.get("SpiWavelengthStop")
                ),
            }
    return found


def _middle(start: object, stop: object) -> float | None:
    first, last = positive(start), positive(stop)
    return (first + last) / 2 if first and last else None


def stk(raw: RawDict) -> Facts:
    """Return the facts of a MetaMorph stack."""
    unit = raw.get("CalibrationUnits")
    calibrated = bool(raw.get("SpatialCalibration"))
    distances = [abs(float(step)) for step in raw.get("ZDistance", ())[:1]] if raw.get("NumberPlanes", 1) > 1 else []
    properties = {str(item.get("name")): item.get("value") for item in entries(raw.get("PlaneProperty"))}
    described = next(iter(raw.get("PlaneDescriptions") or ()), "")
    return Facts(
        name=words(raw.get("Name")),
        pixel_size_x=length(raw.get("XCalibration"), unit) if calibrated else None,
        pixel_size_y=length(raw.get("YCalibration"), unit) if calibrated else None,
        pixel_size_z=length(distances[0], unit) if distances else None,
        time_increment_s=None if any(distances) else _stk_time_step(raw.get("DatetimeCreated")),
        channels=(_metamorph_channel(properties, raw.get("wavelength"), described, raw.get("Name")),),
        objective=_metamorph_objective(properties),
        acquired_at=moment(raw.get("CreateTime")),
        vendor=vendor_document({"MetaMorph": raw}),
    )


def _stk_time_step(times: "NDArray[np.datetime64] | None") -> float | None:
    return None if times is None else mean_step(((times - times[:1]) / np.timedelta64(1, "s")).tolist())


def metaseries(raw: RawDict) -> Facts:
    """Return the facts of one plane written by MetaXpress or MetaMorph with MetaSeries metadata."""
    plane = raw.get("PlaneInfo") or {}
    unit = plane.get("spatial-calibration-units") if plane.get("spatial-calibration-state") else None
    described = str(raw.get("Description") or "")
    return Facts(
        pixel_size_x=length(plane.get("spatial-calibration-x"), unit),
        pixel_size_y=length(plane.get("spatial-calibration-y"), unit),
        channels=(_metamorph_channel(plane, plane.get("wavelength"), described, plane.get("image-name")),),
        objective=_metamorph_objective(plane),
        acquired_at=moment(plane.get("acquisition-time-local")),
        vendor=vendor_document({"MetaSeries": raw}),
    )


def _metamorph_channel(properties: RawDict, wavelength: object, described: str, name: object) -> RawDict:
    exposure = EXPOSURE.search(described)
    return {
        "name": words(properties.get("_IllumSetting_")) or words(name),
        "emission_wavelength_nm": positive(wavelength),
        "exposure_time_s": seconds(exposure.group(1), exposure.group(2)) if exposure else None,
    }


def _metamorph_objective(properties: RawDict) -> ObjectiveInfo | None:
    named = objective_named(properties.get("_MagSetting_"))
    aperture = positive(properties.get("_MagNA_"))
    return named.model_copy(update={"numerical_aperture": aperture}) if named and aperture else named


def mibi(descriptions: Sequence[str], width: int) -> Facts | None:
    """Return the facts of a MIBItiff: one page per channel, each described by a JSON text. ``None`` if it is none.

    Specification: https://ionpath.github.io/mibilib/formats.html
    """
    pages = [_json(description) for description in descriptions]
    if not pages or not all("channel.target" in page or "channel.mass" in page for page in pages):
        return None
    first = pages[0]
    edge = positive(first.get("mibi.size"))
    size = length(edge / width, "um") if edge else None
    channels = tuple(
        {"name": words(page.get("channel.target")) or f"mass {page.get('channel.mass')}"} for page in pages
    )
    return Facts(
        name=words(first.get("mibi.fov_name")) or words(first.get("mibi.folder")),
        pixel_size_x=size,
        pixel_size_y=size,
        channels=channels,
        microscope=MicroscopeInfo(manufacturer="IONpath", model=words(first.get("mibi.instrument")), type="MIBI"),
        note="MIBItiff: pages are channels",
        sequence="C",
        vendor=vendor_document({"MIBI": pages}),
    )


def _json(description: str) -> dict[str, Any]:
    try:
        parsed = json.loads(description)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
