"""What a DM file says of an image -> our metadata. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from coverslip.model import ChannelInfo, ImageMetadata, MicroscopeInfo, ObjectiveInfo
from coverslip.readers.dm.layout import Layout, RawDict, spacing
from coverslip.readers.units import seconds
from coverslip.readers.vendor_metadata import bounded, json_document, moment, number, positive, words

MAX_NAMED_CHANNELS = 65_536
DATES = ("%m/%d/%Y %I:%M:%S %p", "%m/%d/%y %H:%M:%S", "%m/%d/%Y %H:%M:%S")


def parse_image(layout: Layout, image: RawDict, tree: RawDict, *, name: str, version: int) -> ImageMetadata:
    """Return the metadata of an image.

    Parameters
    ----------
    layout
        Of its pixels.
    image
        Its tags.
    tree
        All tags of the file.
    name
        The name of the file, for an image without one.
    version
        3 or 4.
    """
    tags = _group(image, "ImageTags")
    notes = []
    sizes: dict[str, Any] = {}
    for role in "XYZ":
        size, note = spacing(layout.axis(role), spectral=role == layout.spectral)
        sizes[f"pixel_size_{role.lower()}"] = size if role != "Z" or layout.size("Z") > 1 else None
        if note and layout.size(role) > 1:
            notes.append(f"{role} is {note}")
    brightness = _brightness(image)
    if brightness:
        notes.append(brightness)
    if layout.spectral == "C":
        notes.append("channels are the spectra of a spectrum image")
    if len(layout.axes) > 3:
        notes.append(f"the file's axes are {', '.join(layout.roles)}, the fastest first")
    time = layout.axis("T")
    return ImageMetadata(
        name=words(image.get("Name")) or name,
        file_format="DM",
        format_variant=f"DM{version}",
        size_t=layout.size("T"),
        size_c=layout.size("C"),
        size_z=layout.size("Z"),
        size_y=layout.size("Y"),
        size_x=layout.size("X"),
        samples=layout.samples,
        dtype=layout.dtype,
        **sizes,
        time_increment_s=seconds(time.scale, time.units) if time is not None and time.length > 1 else None,
        channels=_channels(layout, tags, tree),
        objective=_objective(tags),
        microscope=_microscope(tags),
        acquired_at=_acquired_at(tags, tree),
        source_axes="".join(reversed(layout.roles)) + ("S" if layout.samples > 1 else ""),
        note="; ".join(note for note in notes if note) or None,
        vendor=bounded(
            json_document({"ImageTags": tags, "DataBar": _group(tags, "DataBar") or _group(tree, "DataBar")})
        ),
    )


def _channels(layout: Layout, tags: RawDict, tree: RawDict) -> tuple[ChannelInfo, ...]:
    """Return the channels; those of a spectrum image are called by their energy."""
    count, axis = layout.size("C"), layout.axis("C")
    exposure = _exposure(tags, tree)
    if layout.samples > 1 and count == 1:
        return (ChannelInfo(index=0, name="RGB", exposure_time_s=exposure),)
    named = axis is not None and axis.scale is not None and axis.units
    return tuple(
        ChannelInfo(
            index=c,
            name=f"{(c - axis.origin) * axis.scale:g} {axis.units}"
            if named and axis and axis.scale
            else f"Channel {c}",
            exposure_time_s=exposure,
        )
        for c in range(count)
    )


def _exposure(tags: RawDict, tree: RawDict) -> float | None:
    level = _group(_group(_group(tags, "Acquisition"), "Parameters"), "High Level")
    bar = _group(tags, "DataBar") or _group(tree, "DataBar")
    return positive(level.get("Exposure (s)")) or positive(bar.get("Exposure Time (s)"))


def _objective(tags: RawDict) -> ObjectiveInfo | None:
    info = _group(tags, "Microscope Info")
    magnification = positive(info.get("Actual Magnification")) or positive(info.get("Indicated Magnification"))
    return ObjectiveInfo(magnification=magnification) if magnification else None


def _microscope(tags: RawDict) -> MicroscopeInfo | None:
    info = _group(tags, "Microscope Info")
    voltage = positive(info.get("Voltage"), 1e-3)
    mode = words(info.get("Illumination Mode")) or words(info.get("Operation Mode"))
    parts = [mode, f"{voltage:g} kV" if voltage else None]
    found = MicroscopeInfo(
        model=words(info.get("Name")) or words(info.get("Microscope")),
        type=", ".join(part for part in parts if part) or None,
    )
    return found if found != MicroscopeInfo() else None


def _acquired_at(tags: RawDict, tree: RawDict) -> datetime | None:
    for bar in (_group(tags, "DataBar"), _group(tree, "DataBar")):
        written = f"{bar.get('Acquisition Date', '')} {bar.get('Acquisition Time', '')}".strip()
        found = moment(written, DATES) if written else None
        if found is not None:
            return found
    return moment(tags.get("Timestamp"))


def _brightness(image: RawDict) -> str | None:
    """Return what a stored value means where the file says so."""
    raw = _group(_group(_group(image, "ImageData"), "Calibrations"), "Brightness")
    scale, origin, units = number(raw.get("Scale")), number(raw.get("Origin")), words(raw.get("Units"))
    if scale is None or scale == 0 or (scale, origin or 0.0) == (1.0, 0.0):
        return None
    offset = -(origin or 0.0) * scale  # what is stored is counted from the origin
    return f"stored values; real ones are {scale:g} x value + {offset:g}{f' {units}' if units else ''}"


def _group(raw: RawDict, key: str) -> RawDict:
    found = raw.get(key)
    return found if isinstance(found, Mapping) else {}
