"""Which dialect describes which series of an open TIFF file. Broken optional metadata is skipped, never raised."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from coverslip.errors import ImageLoadError, UnreadableFileError
from coverslip.model import ObjectiveInfo
from coverslip.readers.image import foreign
from coverslip.readers.tiff import electron, micromanager, ome_xml, scanimage
from coverslip.readers.tiff import metadata as tiff_metadata
from coverslip.readers.tiff.facts import Facts
from coverslip.readers.units import length
from coverslip.readers.vendor_metadata import moment, positive, vendor_document

if TYPE_CHECKING:
    from pathlib import Path

    from tifffile import TiffFile, TiffPage, TiffPageSeries

VARIANTS: Mapping[str, str] = {
    "ome": "OME-TIFF",
    "imagej": "ImageJ",
    "lsm": "LSM",
    "stk": "STK",
    "mmstack": "Micro-Manager",
    "ndtiff": "NDTiff",
    "metaseries": "MetaSeries",
    "fluoview": "FluoView",
    "scanimage": "ScanImage",
    "svs": "SVS",
    "ndpi": "NDPI",
    "scn": "SCN",
    "qpi": "QPTIFF",
    "bif": "BIF",
    "philips": "Philips",
    "fei": "FEI",
    "sem": "Zeiss SEM",
    "tvips": "TVIPS",
    "sis": "Olympus SIS",
    "mdgel": "MD Gel",
    "eer": "EER",
}
"""Flag of tifffile -> name for people, the most telling first."""

BY_FLAG: Mapping[str, Callable[[Mapping[str, Any]], Facts]] = {
    "stk": tiff_metadata.stk,
    "metaseries": tiff_metadata.metaseries,
    "fei": electron.fei,
    "sem": electron.sem,
    "tvips": electron.tvips,
    "sis": electron.sis,
    "eer": electron.eer,
}
OWN_CALIBRATION = ("ome", "imagej", "lsm", "stk")
"""Flags of dialects that state pixel sizes themselves; their resolution tags are copies or leftovers."""
COLOR_NOTES: Mapping[int, str] = {
    3: "pixels are stored values; the colour table of the file is not applied",
    5: "samples are inks (cyan, magenta, yellow, black) as stored",
    8: "samples are CIE L*a*b* as stored",
}
"""TIFF photometric interpretation -> what a reader of the samples must know."""
STRUCTURAL_TAGS = frozenset({273, 279, 320, 324, 325, 347, 700, 33723, 34377, 34675, 37724, 50839, 65426})
"""Offsets, colour tables, profiles and other blobs: no metadata for people."""
EDGE_TAGS = (65003, 65004, 65009, 65010)


def describe_all(tif: "TiffFile", series: Sequence["TiffPageSeries"], ome: ome_xml.RawElement | None) -> list[Facts]:
    """Return the facts of every series, in order."""
    images = match_images(ome, series)
    return [_describe(tif, one, index, ome, images[index]) for index, one in enumerate(series)]


def variant(tif: "TiffFile", kind: str) -> str | None:
    """Return the dialect's name for people, or ``None`` for a plain TIFF."""
    if kind in VARIANTS:
        return VARIANTS[kind]
    named = (name for flag, name in VARIANTS.items() if getattr(tif, f"is_{flag}", False))
    return next(named, "BigTIFF" if tif.is_bigtiff else None)


def match_images(ome: ome_xml.RawElement | None, series: Sequence["TiffPageSeries"]) -> list[ome_xml.RawElement | None]:
    """Return the OME ``Image`` of every series: in order, of the same size and (for OME series) the same name."""
    waiting = ome_xml.images(ome) if ome else []
    matched: list[ome_xml.RawElement | None] = []
    for one in series:
        found = next((i for i, image in enumerate(waiting) if _fits(image, one)), None)
        matched.append(None if found is None else waiting[found])
        waiting = waiting[0 if found is None else found + 1 :]
    return matched


def _fits(image: ome_xml.RawElement, series: "TiffPageSeries") -> bool:
    pixels, key = ome_xml.pixels(image), series.keyframe
    if (pixels.get("SizeX"), pixels.get("SizeY")) != (str(key.imagewidth), str(key.imagelength)):
        return False
    named = image.get("Name", "")
    return series.kind != "ome" or series.name in {named, named or "Baseline"}


def _describe(
    tif: "TiffFile",
    series: "TiffPageSeries",
    index: int,
    ome: ome_xml.RawElement | None,
    image: ome_xml.RawElement | None,
) -> Facts:
    page = series.keyframe
    facts = (
        _attempt(tif, lambda: _ome(tif, ome, image))
        or _attempt(tif, lambda: _stack(tif, series))
        or _attempt(tif, lambda: _dialect(tif, series, index))
        or _attempt(tif, lambda: _slide(series))
        or Facts()
    )
    color = None if series.kind in OWN_CALIBRATION else COLOR_NOTES.get(int(page.photometric or 0))
    facts = replace(facts, note="; ".join(filter(None, (facts.note, color))) or None)
    if facts.acquired_at is None:
        facts = replace(facts, acquired_at=_attempt(tif, lambda: moment(page.tags.valueof(306))))
    if facts.pixel_size_x is None and not any(getattr(tif, f"is_{flag}") for flag in OWN_CALIBRATION):
        facts = replace(facts, **(_attempt(tif, lambda: _resolution(page)) or {}))
    return facts if facts.vendor else replace(facts, vendor=_attempt(tif, lambda: _vendor(tif, page)) or {})


def _attempt[T](tif: "TiffFile", call: Callable[[], T | None]) -> T | None:
    """Return what a metadata parser gives, or ``None`` where the metadata is not what it should be."""
    path: Path = tif.filehandle.path  # type: ignore[assignment]  # only named in a message nobody sees
    try:
        return foreign("reading metadata", path, call)
    except UnreadableFileError:  # a disk in trouble is no broken metadata
        raise
    except ImageLoadError:
        return None


def _ome(tif: "TiffFile", ome: ome_xml.RawElement | None, image: ome_xml.RawElement | None) -> Facts | None:
    if ome is None or image is None:
        return None
    extra = {"MicroManager": tif.micromanager_metadata} if tif.is_micromanager else {}
    return replace(ome_xml.describe(ome, image), vendor={**ome_xml.vendor(ome, image), **vendor_document(extra)})


def _dialect(tif: "TiffFile", series: "TiffPageSeries", index: int) -> Facts | None:
    page = series.keyframe
    if series.kind == "imagej" and tif.imagej_metadata is not None:
        ramp = tiff_metadata.ramp_color(page.colormap)
        return tiff_metadata.imagej(tif.imagej_metadata, (_ratio(page, 282), _ratio(page, 283)), ramp)
    if series.kind == "lsm" and tif.lsm_metadata is not None:
        return tiff_metadata.lsm(tif.lsm_metadata, is_thumbnail=page.is_reduced)
    for flag, parse in BY_FLAG.items():
        raw = getattr(tif, f"{flag}_metadata", None) if index == 0 and getattr(tif, f"is_{flag}", False) else None
        if raw:
            return parse(raw)
    if page.description.startswith("{"):
        found = tiff_metadata.mibi(_descriptions(series), page.imagewidth)
        if found is not None:
            return found
    return electron.gatan({code: page.tags.valueof(code) for code in EDGE_TAGS})


def _stack(tif: "TiffFile", series: "TiffPageSeries") -> Facts | None:
    if series.kind in micromanager.KINDS:
        return micromanager.facts(tif, series)
    if series.kind == scanimage.KIND:
        return scanimage.facts(scanimage.settings_of(tif), series.keyframe.imagewidth, series.keyframe.imagelength)
    return None


def _descriptions(series: "TiffPageSeries") -> list[str]:
    """Return the description of every page; frames are read again, as they drop it."""
    pages = (page for page in series if page is not None)
    return [(page.aspage() if page.is_frame else page).description for page in pages]  # type: ignore[union-attr]


def _slide(series: "TiffPageSeries") -> Facts | None:
    """Return what tifffile knows of a slide or stack scanner's series: micrometres per pixel, lens, channel names."""
    if series.kind in {"", "uniform", "generic", "shaped", "geotiff", "imagej", "ome"}:
        return None
    per_pixel = series.mpp or (None, None)
    magnification = positive(series.attrs.get("magnification"))
    labels = series.coords.get("C")
    named = [str(label) for label in labels] if labels is not None and labels.dtype.kind == "U" else []
    return Facts(
        pixel_size_x=length(per_pixel[0], "um"),
        pixel_size_y=length(per_pixel[1], "um"),
        channels=tuple({"name": name} for name in named),
        objective=ObjectiveInfo(magnification=magnification) if magnification else None,
    )


def _resolution(page: "TiffPage") -> dict[str, Any]:
    unit = tiff_metadata.RESOLUTION_UNITS.get(int(page.tags.valueof(296) or 2))
    x, y = (tiff_metadata.plausible_pixel(_ratio(page, code), unit) for code in (282, 283))
    return {"pixel_size_x": x, "pixel_size_y": y} if x and y else {}


def _ratio(page: "TiffPage", code: int) -> float | None:
    value = page.tags.valueof(code)
    if not isinstance(value, tuple) or len(value) != 2 or not value[1]:
        return None
    return positive(value[0] / value[1])


def _vendor(tif: "TiffFile", page: "TiffPage") -> dict[str, Any]:
    """Return every dict tifffile finds, and the plain tags."""
    found: dict[str, Any] = {}
    for flag in sorted(tif.flags):
        raw = _attempt(tif, lambda flag=flag: getattr(tif, f"{flag}_metadata", None))  # type: ignore[misc]
        if isinstance(raw, dict | list | tuple) and raw:
            found[flag] = raw
    tags = {
        tag.name: tag.value for tag in page.tags.values() if tag.code not in STRUCTURAL_TAGS and tag.count < 1 << 20
    }
    return vendor_document({**found, "tags": tags})
