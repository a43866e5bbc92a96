"""OME-XML -> facts. Schema: https://docs.openmicroscopy.org/ome-model/latest/ome-xml/ (2003 FC to 2016-06)."""

import re
from collections.abc import Iterator, Mapping
from html import unescape
from pathlib import Path, PureWindowsPath
from typing import Any
from xml.etree import ElementTree as ET

from coverslip.model import MicroscopeInfo, ObjectiveInfo
from coverslip.readers.budgets import check_xml_bytes
from coverslip.readers.tiff.facts import Facts, entries, rgb
from coverslip.readers.units import length, seconds
from coverslip.readers.vendor_metadata import (
    declares_type,
    moment,
    number,
    parse_xml,
    positive,
    vendor_document,
    words,
)

RawElement = dict[str, Any]
"""One XML element: attributes and children by name without namespace; repeated children are a list."""

MAX_DEPTH = 64
MODULO_LETTERS = {"angle": "A", "phase": "P", "tile": "R", "lifetime": "H", "lambda": "E"}
MAX_PLACES = 100_000
NEVER_STATED = -(1 << 31)
"""The default of ``Color`` in the schemas before 2012, which writers copied without meaning it."""
PIXELS_AS_TEXT = ("BinData", "BinaryFile")
FILE_NAME = re.compile(r"""FileName\s*=\s*("[^"]*"|'[^']*')""")


def is_hostile(xml: str) -> bool:
    """Return whether the text declares a document type or entities, which OME-XML never needs.

    Raises
    ------
    BudgetError
        It is too long.
    """
    check_xml_bytes(len(xml))
    return declares_type(xml)


def parse(xml: str) -> RawElement | None:
    """Return the root element, or ``None`` where the text is hostile or not well-formed."""
    if is_hostile(xml):
        return None
    try:
        return _element(parse_xml(xml.strip("\x00 \t\r\n")), 0)
    except (ET.ParseError, ValueError):
        return None


def images(ome: RawElement) -> list[RawElement]:
    """Return the ``Image`` elements in document order."""
    return entries(ome.get("Image"))


def pixels(image: RawElement) -> RawElement:
    """Return the ``Pixels`` element of an image; empty where there is none."""
    return next(iter(entries(image.get("Pixels"))), {})


def confine(xml: str, folder: Path) -> tuple[str, tuple[str, ...]]:
    """Return the text with every member file name kept inside ``folder``, and the names that were refused.

    A name that leads elsewhere (an absolute path of the computer that wrote it, ``../``, a link out of the
    folder) is replaced by the file of the same base name where the folder has one, else by nothing.
    """
    if not FILE_NAME.search(xml):
        return xml, ()
    home = folder.resolve()
    safe: dict[str, str] = {}

    def replace(match: re.Match[str]) -> str:
        name = unescape(match.group(1)[1:-1])
        if name not in safe:
            safe[name] = inside(name, home)
        return match.group(0) if safe[name] == name else f'FileName="{safe[name]}"'

    confined = FILE_NAME.sub(replace, xml)
    return confined, tuple(name for name, kept in safe.items() if name and not kept)


def member_names(ome: RawElement) -> set[str]:
    """Return the names of all files that the ``TiffData`` of this document points to."""
    blocks = (block for image in images(ome) for block in entries(pixels(image).get("TiffData")))
    names = (uuid.get("FileName") for block in blocks for uuid in entries(block.get("UUID")))
    return {name for name in names if isinstance(name, str) and name}


def describe(ome: RawElement, image: RawElement) -> Facts:
    """Return the facts of one ``Image`` of a document."""
    data = pixels(image)
    planes = entries(data.get("Plane"))
    instrument = _instrument(ome, image)
    return Facts(
        name=words(image.get("Name")),
        pixel_size_x=length(data.get("PhysicalSizeX"), data.get("PhysicalSizeXUnit", "µm")),
        pixel_size_y=length(data.get("PhysicalSizeY"), data.get("PhysicalSizeYUnit", "µm")),
        pixel_size_z=length(data.get("PhysicalSizeZ"), data.get("PhysicalSizeZUnit", "µm")),
        time_increment_s=seconds(data.get("TimeIncrement"), data.get("TimeIncrementUnit", "s"))
        or _mean_time_step(planes),
        channels=_channels(image, planes),
        objective=_objective(instrument, image),
        microscope=_microscope(instrument),
        modulo=_modulo(ome, image),
        acquired_at=next(
            filter(None, (moment(image.get(key)) for key in ("AcquisitionDate", "AcquiredDate", "CreationDate"))), None
        ),
    )


def vendor(ome: RawElement, image: RawElement) -> dict[str, Any]:
    """Return the document of one image: the whole, but of the images only this one."""
    return vendor_document({"OME": {key: (image if key == "Image" else value) for key, value in ome.items()}})


def _element(node: ET.Element, depth: int) -> RawElement:
    raw: RawElement = {_local(key): value for key, value in node.attrib.items()}
    written = (node.text or "").strip()
    if written and _local(node.tag) not in PIXELS_AS_TEXT:
        raw["text"] = written
    for child in node if depth < MAX_DEPTH else ():
        name = _local(child.tag)
        value: Any = _element(child, depth + 1)
        if set(value) <= {"text"}:
            value = value.get("text", "")
        if name not in raw:
            raw[name] = value
        elif isinstance(raw[name], list):
            raw[name].append(value)
        else:
            raw[name] = [raw[name], value]
    return raw


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def inside(name: str, home: Path) -> str:
    """Return a file name if it stays in the folder, else its base name if that exists there, else nothing."""
    try:
        own, base = home / name, PureWindowsPath(name).name
        is_inside = own.resolve().is_relative_to(home)
        if is_inside and (own.is_file() or base == name):
            return name
        if base and (home / base).resolve().is_relative_to(home) and (home / base).is_file():
            return base
        return name if is_inside else ""
    except (OSError, ValueError):
        return ""


def _channels(image: RawElement, planes: list[RawElement]) -> tuple[Mapping[str, Any], ...]:
    raw = entries(pixels(image).get("Channel")) or entries(image.get("LogicalChannel"))
    exposures = {}
    for plane in reversed(planes):
        exposures[str(plane.get("TheC"))] = seconds(plane.get("ExposureTime"), plane.get("ExposureTimeUnit", "s"))
    channels = [_channel(item, exposures.get(str(index))) for index, item in enumerate(raw)]
    if len(raw) > 1 and all(item.get("Color") == "-1" for item in raw):
        # -1, white, is the default of the schema: writers spell it out, nobody displays all channels in white
        channels = [{**channel, "color": None} for channel in channels]
    return tuple(channels)


def _channel(raw: RawElement, exposure: float | None) -> Mapping[str, Any]:
    detector = next(iter(entries(raw.get("DetectorSettings")) + entries(raw.get("DetectorRef"))), {})
    return {
        "name": words(raw.get("Name")),
        "color": _color(raw.get("Color")),
        "excitation_wavelength_nm": _nanometers(raw, "ExcitationWavelength", "ExWave"),
        "emission_wavelength_nm": _nanometers(raw, "EmissionWavelength", "EmWave"),
        "exposure_time_s": exposure,
        "gain": number(detector.get("Gain")),
        "dye": words(raw.get("Fluor")),
        "contrast_method": words(raw.get("ContrastMethod")),
    }


def _nanometers(raw: RawElement, key: str, old_key: str) -> float | None:
    size = length(raw.get(key, raw.get(old_key)), raw.get(f"{key}Unit", "nm"))
    return None if size is None else round(size.micrometers * 1e3, 9)


def _color(value: object) -> str | None:
    """Return the colour of a signed 32-bit RGBA number; alpha says nothing about a channel."""
    stated = number(value)
    if stated is None or stated == NEVER_STATED or not -(1 << 31) <= stated < 1 << 32:
        return None
    packed = int(stated) & 0xFFFFFFFF
    return rgb(packed >> 24, packed >> 16 & 0xFF, packed >> 8 & 0xFF)


def _mean_time_step(planes: list[RawElement]) -> float | None:
    """Return the mean time between the first planes of consecutive time points."""
    times: dict[int, float] = {}
    for plane in planes:
        when, at = number(plane.get("DeltaT")), number(plane.get("TheT"))
        if plane.get("TheC") == "0" and plane.get("TheZ") == "0" and when is not None and at is not None:
            times[int(at)] = when
    if len(times) < 2:
        return None
    first, last = min(times), max(times)
    unit = next((plane["DeltaTUnit"] for plane in planes if "DeltaTUnit" in plane), "s")
    return seconds((times[last] - times[first]) / (last - first), unit)


def _instrument(ome: RawElement, image: RawElement) -> RawElement:
    """Return the instrument an image refers to, or the only one there is."""
    instruments = entries(ome.get("Instrument"))
    wanted = _reference(image, "InstrumentRef")
    found = next((item for item in instruments if wanted is not None and item.get("ID") == wanted), None)
    return found or (instruments[0] if len(instruments) == 1 else {})


def _objective(instrument: RawElement, image: RawElement) -> ObjectiveInfo | None:
    objectives = entries(instrument.get("Objective"))
    wanted = next(_references(image, "ObjectiveSettings", "ObjectiveRef"), None)
    found = next((item for item in objectives if wanted is not None and item.get("ID") == wanted), None)
    raw = found or (objectives[0] if len(objectives) == 1 else {})
    distance = length(raw.get("WorkingDistance"), raw.get("WorkingDistanceUnit", "µm"))
    info = ObjectiveInfo(
        name=words(raw.get("Model")) or words(raw.get("Name")),
        magnification=positive(raw.get("NominalMagnification"))
        or positive(raw.get("CalibratedMagnification"))
        or positive(raw.get("Magnification")),
        numerical_aperture=positive(raw.get("LensNA")),
        immersion=words(raw.get("Immersion")),
        working_distance_um=None if distance is None else distance.micrometers,
        correction=words(raw.get("Correction")),
    )
    return None if info == ObjectiveInfo() else info


def _microscope(instrument: RawElement) -> MicroscopeInfo | None:
    raw = next(iter(entries(instrument.get("Microscope"))), {})
    info = MicroscopeInfo(
        manufacturer=words(raw.get("Manufacturer")),
        model=words(raw.get("Model")),
        serial_number=words(raw.get("SerialNumber")),
        type=words(raw.get("Type")),
    )
    return None if info == MicroscopeInfo() else info


def _modulo(ome: RawElement, image: RawElement) -> Mapping[str, list[str]]:
    """Return what the places along axes hidden in T, C or Z are called, by tifffile's letter of the axis.

    https://docs.openmicroscopy.org/ome-model/latest/developers/6d-7d-and-8d-storage.html
    """
    wanted = {item.get("ID") for item in entries(image.get("AnnotationRef"))}
    found: dict[str, list[str]] = {}
    for annotations in entries(ome.get("StructuredAnnotations")):
        for one in entries(annotations.get("XMLAnnotation")):
            if one.get("ID") not in wanted or not str(one.get("Namespace", "")).endswith("modulo"):
                continue
            modulo = [item for value in entries(one.get("Value")) for item in entries(value.get("Modulo"))]
            along = [entry for item in modulo for axis in "TCZ" for entry in entries(item.get(f"ModuloAlong{axis}"))]
            found |= {MODULO_LETTERS.get(str(entry.get("Type")), "Q"): _modulo_places(entry) for entry in along}
    return found


def _modulo_places(raw: RawElement) -> list[str]:
    labels = raw.get("Label", [])
    if labels:
        return [str(label) for label in (labels if isinstance(labels, list) else [labels])]
    start, end, step = (number(raw.get(key)) for key in ("Start", "End", "Step"))
    step = 1.0 if step is None else step
    if start is None or end is None or step <= 0 or (end - start) / step > MAX_PLACES:
        return []
    unit = f" {raw['Unit']}" if isinstance(raw.get("Unit"), str) else ""
    return [f"{start + n * step:g}{unit}" for n in range(int((end - start) / step + 1.5))]


def _references(image: RawElement, *names: str) -> Iterator[str]:
    for name in names:
        found = _reference(image, name)
        if found is not None:
            yield found


def _reference(image: RawElement, name: str) -> str | None:
    return next((item["ID"] for item in entries(image.get(name)) if isinstance(item.get("ID"), str)), None)
