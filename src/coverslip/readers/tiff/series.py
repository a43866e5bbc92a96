"""The series of an open TIFF file, checked: no hostile XML, no file outside the folder, nothing cut off unnoticed."""

import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coverslip.errors import ImageLoadError, ReadError
from coverslip.readers.budgets import check_pages
from coverslip.readers.image import foreign
from coverslip.readers.tiff import ome_xml
from coverslip.readers.tiff.describe import variant
from coverslip.readers.vendor_metadata import declares_type, positive
from coverslip.sources import RemotePath

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

MEMBER_KINDS = ("ome", "mmstack", "ndtiff")
"""Dialects whose planes may lie in other files, or in none."""
VITAL_TAGS: Mapping[int, str] = {
    258: "BitsPerSample",
    270: "ImageDescription",
    273: "StripOffsets",
    279: "StripByteCounts",
    324: "TileOffsets",
    325: "TileByteCounts",
    339: "SampleFormat",
    33628: "UIC1",
    33629: "UIC2",
    34412: "LSM info",
}
"""Tags without which a file would be read as another image. tifffile skips those that point out of the file."""
XML_TAGS = (700, 34683, 51023, 65000)
"""Tags besides the description whose XML tifffile parses by itself: XMP, FEI, Fibics, Argos."""
TYPE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""TIFF data type -> bytes of one value."""
COUNTED_KINDS = ("uniform", "generic", "eer")
"""Dialects in which the chain of pages is all that says how many planes there are."""


def prepare(
    tif: "TiffFile", companion: tuple[str, tuple[str, ...]] | None = None
) -> tuple[ome_xml.RawElement | None, tuple[str, ...]]:
    """Make the description safe before tifffile acts on it; return the OME document and refused member names.

    A companion's OME-XML, which tifffile was opened with, is safe already.
    """
    first = tif.pages.first
    check_directory(tif, first.offset)
    if companion is not None:
        return ome_xml.parse(companion[0]), companion[1]
    for code in XML_TAGS:
        value = first.tags.valueof(code, default="")
        if isinstance(value, str | bytes) and declares_type(value):
            raise ReadError(f"the XML in tag {code} declares a document type; instruments never do")
    if ome_xml.is_hostile(first.description):
        first.description = ""
        return None, ()
    if not tif.is_ome:
        return None, ()
    first.description, refused = ome_xml.confine(first.description, Path(tif.filehandle.dirname))
    return ome_xml.parse(first.description), refused


def refuse_sets(tif: "TiffFile", series: Sequence["TiffPageSeries"]) -> None:
    """Refuse a remote file some of whose planes are in other files: names in a file lead nowhere from afar.

    Raises
    ------
    ReadError
        It is one of a set.
    """
    lacking = any(page is None for one in series if one.kind in MEMBER_KINDS for page in one)
    if lacking or tif.is_ndtiff:
        raise ReadError(
            "this file is one of a set, and sets are read from a local folder only. Copy the folder of the set"
        )


def check_directory(tif: "TiffFile", offset: int) -> None:
    """Refuse a page whose vital tags point out of the file.

    Raises
    ------
    ReadError
        Names the tag.
    """
    handle, form = tif.filehandle, tif.tiff
    if form.is_ndpi:
        return
    handle.seek(offset)
    (count,) = struct.unpack(form.tagnoformat, handle.read(form.tagnosize))
    entry = struct.Struct(form.byteorder + ("HHQQ" if form.is_bigtiff else "HHII"))
    for code, kind, length, place in entry.iter_unpack(handle.read(count * form.tagsize)):
        size = length * TYPE_BYTES.get(kind, 0)
        if code in VITAL_TAGS and size > form.offsetsize and place + size > handle.size:
            raise ReadError(
                f"the tag {VITAL_TAGS[code]} lies at byte {place}, the file ends at {handle.size}: "
                "it is truncated. Copy it again from its source"
            )


def all_series(tif: "TiffFile", path: Path) -> tuple[list["TiffPageSeries"], str | None]:
    """Return all series with all their axes, and a note where a dialect's own reading had to be given up.

    Raises
    ------
    ReadError
        The file is damaged.
    BudgetError
        ``pages``.
    """
    if not (isinstance(path, RemotePath) and (tif.is_mmstack or tif.is_scanimage)):  # they know their pages unwalked
        _check_circle(tif, path)
    try:
        series = foreign("reading the series", path, lambda: list(tif.series(squeeze=False)))
        for one in series:
            _check_length(one)
        note = None
    except ImageLoadError as error:
        series = _page_by_page(tif, path)
        note = f"read page by page, because its {variant(tif, '') or 'series'} header does not fit: {error}"
    if not series:
        raise ReadError(f"{path}: the file holds no image")
    for one in series:
        if one.keyframe.parent is tif:
            check_directory(tif, one.keyframe.offset)
    if all(one.kind in COUNTED_KINDS for one in series):
        _check_chain(tif, path)
        _check_imagej(tif, path)
    return series, note


def _page_by_page(tif: "TiffFile", path: Path) -> list["TiffPageSeries"]:
    try:
        return foreign("reading the pages", path, lambda: list(tif.series(kind="generic", squeeze=False)))
    except ImageLoadError as error:
        raise ReadError(f"{error}. It is damaged or cut off. Copy it again from its source") from error


def _check_length(series: "TiffPageSeries") -> None:
    """Notice an ImageJ header that was kept when pages were removed, before promising its planes."""
    if series.kind == "imagej" and series.dataoffset is None:
        found, stated = len(series), math.prod(series.shape) // math.prod(series.keyframe.shape)
        if found != stated:
            raise ReadError(f"it states {stated} planes, the file has {found}")


def _check_circle(tif: "TiffFile", path: Path) -> None:
    """Refuse a chain of pages without an end before tifffile walks it: it notices few circles, and leaves none.

    Raises
    ------
    ReadError
        A page is followed by one before it.
    BudgetError
        ``pages``.
    """
    handle, form = tif.filehandle, tif.tiff
    number, pointer = struct.Struct(form.tagnoformat), struct.Struct(form.offsetformat)
    place, seen = tif.pages.first.offset, set[int]()
    while place:
        if place in seen:
            raise ReadError(
                f"{path}: page {len(seen)} is said to be the one at byte {place} again: the chain of pages has no end, "
                "it is damaged. Copy it again from its source"
            )
        seen.add(place)
        check_pages(len(seen), "pages")
        handle.seek(place)
        tags = handle.read(number.size)
        if len(tags) < number.size:
            return
        handle.seek(place + number.size + number.unpack(tags)[0] * form.tagsize)
        following = handle.read(pointer.size)
        if len(following) < pointer.size:
            return
        place = pointer.unpack(following)[0]


def _check_chain(tif: "TiffFile", path: Path) -> None:
    """Refuse a file whose last page promises another one beyond the end: it was cut off.

    Raises
    ------
    ReadError
        The chain of pages leads out of the file.
    """
    position = tif.pages.next_page_offset
    if position is None or tif.is_lsm or tif.is_scanimage or tif.is_ndpi:
        return
    tif.filehandle.seek(position)
    stored = tif.filehandle.read(tif.tiff.offsetsize)
    following = int.from_bytes(stored, "little" if tif.byteorder == "<" else "big")
    if len(stored) < tif.tiff.offsetsize or following >= tif.filehandle.size:
        raise ReadError(
            f"{path}: page {len(tif.pages)} is promised at byte {following}, the file ends at "
            f"{tif.filehandle.size}: it is truncated. Copy it again from its source"
        )


def _check_imagej(tif: "TiffFile", path: Path) -> None:
    """Refuse a stack of one directory whose pixels are cut off; tifffile would show its first plane only.

    Raises
    ------
    ReadError
        The file ends inside the stack.
    """
    stated = tif.imagej_metadata if tif.is_imagej and not tif.is_ome else None
    first = tif.pages.first
    images = int(positive((stated or {}).get("images")) or 1)
    if images < 2 or len(tif.pages) > 1 or not first.is_final or first.offset > first.dataoffsets[0]:
        return
    end, size = first.dataoffsets[0] + first.nbytes, tif.filehandle.size
    if size > end:
        raise ReadError(
            f"{path}: the ImageJ header states {images} images, the file has {size - end} bytes after the first: "
            "it is truncated. Copy it again from its source"
        )


def members(tif: "TiffFile", series: Sequence["TiffPageSeries"]) -> tuple[Path, ...]:
    """Return all files the pixels come from.

    Raises
    ------
    ReadError
        A member lies outside the folder of the opened file.
    """
    files = dict.fromkeys(
        page.parent
        for one in series
        if one.kind in MEMBER_KINDS
        for level in one.levels
        for page in level
        if page is not None
    )
    if all(file is tif for file in files):
        return (Path(tif.filehandle.path),) if files else ()
    found = tuple(Path(name) for name in dict.fromkeys(file.filehandle.path for file in files))
    home = Path(tif.filehandle.dirname).resolve()
    for member in found:
        if not member.resolve().is_relative_to(home):
            raise ReadError(f"the set names {member}, which is outside of {home}; it is not followed")
    return found


def absent_note(
    series: "TiffPageSeries", ome: ome_xml.RawElement | None, refused: Sequence[str], folder: Path
) -> str | None:
    """Return which planes of a set are missing, and the files that should hold them."""
    absent = sum(page is None for page in series) if series.kind in MEMBER_KINDS else 0
    if not absent:
        return None
    names = sorted(name for name in ome_xml.member_names(ome or {}) if not (folder / name).is_file())
    missing = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return (
        f"{absent} of {len(series)} planes are in no file of the set"
        + (f"; missing: {missing}" if missing else "")
        + (f"; not followed out of the folder: {', '.join(refused[:3])}" if refused else "")
    )
