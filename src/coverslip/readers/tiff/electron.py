"""What TIFF files of electron microscopes and their cameras say: foreign dicts -> ``Facts``. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from coverslip.model import MicroscopeInfo, ObjectiveInfo
from coverslip.readers.tiff.facts import Facts, metres
from coverslip.readers.units import length, seconds
from coverslip.readers.vendor_metadata import moment, positive, vendor_document, words

RawDict = Mapping[str, Any]
"""A dict as tifffile gives it: the vendor's keys."""


def fei(raw: RawDict) -> Facts:
    """Return the facts of an FEI / Thermo Fisher electron micrograph."""
    scan, user, system = (raw.get(key) or {} for key in ("Scan", "User", "System"))
    return Facts(
        pixel_size_x=metres(scan.get("PixelWidth")),
        pixel_size_y=metres(scan.get("PixelHeight")),
        microscope=MicroscopeInfo(
            manufacturer="FEI", model=words(system.get("SystemType")), type=words(system.get("Type"))
        ),
        acquired_at=moment(f"{user.get('Date')} {user.get('Time')}"),
        vendor=vendor_document({"FEI": raw}),
    )


def sem(raw: RawDict) -> Facts:
    """Return the facts of a Zeiss SEM micrograph. Values are tuples: name, value, unit."""
    stored: Sequence[Any] = raw.get("") or ()
    stated: Sequence[Any] = raw.get("ap_image_pixel_size") or raw.get("ap_pixel_size") or ()
    size = metres(stored[3]) if len(stored) > 3 else None
    if size is None and len(stated) > 2:
        size = length(stated[1], stated[2])
    keys = ("ap_date", "ap_time", "sv_serial_number")
    written: list[Sequence[Any]] = [raw.get(key) or () for key in keys]
    day, clock, serial = (str(entry[1]) if len(entry) > 1 else "" for entry in written)
    return Facts(
        pixel_size_x=size,
        pixel_size_y=size,
        microscope=MicroscopeInfo(manufacturer="Carl Zeiss", serial_number=words(serial), type="SEM"),
        acquired_at=moment(f"{day} {clock}"),
        vendor=vendor_document({"Zeiss SEM": raw}),
    )


def tvips(raw: RawDict) -> Facts:
    """Return the facts of a TVIPS camera image; pixel sizes are in nanometres."""
    return Facts(
        pixel_size_x=length(raw.get("PixelSizeX"), "nm"),
        pixel_size_y=length(raw.get("PixelSizeY"), "nm"),
        vendor=vendor_document({"TVIPS": raw}),
    )


def sis(raw: RawDict) -> Facts:
    """Return the facts of an Olympus SIS image; pixel sizes are in metres."""
    magnification = positive(raw.get("magnification"))
    return Facts(
        pixel_size_x=metres(raw.get("pixelsizex")),
        pixel_size_y=metres(raw.get("pixelsizey")),
        objective=ObjectiveInfo(magnification=magnification) if magnification else None,
        microscope=MicroscopeInfo(manufacturer="Olympus"),
        acquired_at=moment(raw.get("datetime")),
        vendor=vendor_document({"SIS": raw}),
    )


def gatan(tags: Mapping[int, Any]) -> Facts | None:
    """Return the facts in the private tags of Gatan DigitalMicrograph, 65003 ...: units, then sizes. None if none."""
    x, y = length(tags.get(65009), tags.get(65003)), length(tags.get(65010), tags.get(65004))
    return Facts(pixel_size_x=x, pixel_size_y=y) if x or y else None


def eer(raw: RawDict) -> Facts:
    """Return the facts of a Thermo Fisher camera's electron events; pixel sizes are in metres, doses per pixel."""
    frames, exposure = positive(raw.get("numberOfFrames")), seconds(raw.get("exposureTime"))
    dose = positive(raw.get("totalDose"))
    notes = ["each frame counts electrons, without gain correction and without the place inside the pixel"]
    if dose:
        notes.append(f"{dose:g} {raw.get('totalDose.unit') or 'electrons per pixel'} in all frames")
    return Facts(
        pixel_size_x=length(*_camera_pixel(raw, "width")),
        pixel_size_y=length(*_camera_pixel(raw, "height")),
        time_increment_s=exposure / frames if exposure and frames else None,
        channels=({"exposure_time_s": exposure},) if exposure else (),
        microscope=MicroscopeInfo(
            manufacturer="Thermo Fisher Scientific",
            model=words(raw.get("commercialName")),
            serial_number=words(str(raw.get("serialNumber") or "")),
            type="electron camera",
        ),
        acquired_at=moment(raw.get("timestamp")),
        note="; ".join(notes),
        sequence="T",
        vendor=vendor_document({"EER": raw}),
    )


def _camera_pixel(raw: RawDict, side: str) -> tuple[object, object]:
    """Return a pixel size and its unit; metres in angstroms, as people count them."""
    size, unit = positive(raw.get(f"sensorPixelSize.{side}")), raw.get(f"sensorPixelSize.{side}.unit") or "m"
    return (size * 1e10, "angstrom") if size is not None and unit == "m" else (size, unit)
