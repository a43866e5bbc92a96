"""Micro-Manager's image files: which stage positions a stack holds, and which files its index names.

Formats: https://micro-manager.org/Micro-Manager_File_Formats and https://github.com/micro-manager/NDTiffStorage
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from coverslip.errors import ReadError
from coverslip.readers.tiff.facts import Facts, entries
from coverslip.readers.units import length, seconds
from coverslip.readers.vendor_metadata import moment, number, positive, vendor_document, words

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

RawDict = Mapping[str, Any]
"""The summary as the file has it."""
POSITION_AXIS = "R"
"""tifffile's letter of the stage positions."""
KINDS = ("mmstack", "ndtiff")


@dataclass(frozen=True, slots=True)
class Position:
    """One stage position of a series."""

    index: int
    name: str


def positions(tif: "TiffFile", series: "TiffPageSeries") -> Iterator[Position | None]:
    """Yield the stage positions of a series, each an image of its own; ``None`` alone where it has no such axis."""
    count = series.shape[series.axes.index(POSITION_AXIS)] if POSITION_AXIS in series.axes else 1
    if series.kind not in KINDS or count < 2:
        yield None
        return
    names = _names(tif, series)
    for index in range(count):
        named = names[index] if index < len(names) else None
        yield Position(index, named or f"Position {index}")


def facts(tif: "TiffFile", series: "TiffPageSeries") -> Facts:
    """Return what the summary of a stack says."""
    raw = (tif.micromanager_metadata or {}).get("Summary") or {}
    labels = series.coords.get("C")
    named = labels.tolist() if labels is not None and labels.dtype.kind == "U" else _channel_names(raw)
    step, interval = number(raw.get("z-step_um")), positive(raw.get("Interval_ms"))
    size = length(raw.get("PixelSize_um"), "um")
    return Facts(
        pixel_size_x=size,
        pixel_size_y=size,
        pixel_size_z=length(abs(step), "um") if step else None,
        time_increment_s=seconds(interval, "ms"),
        channels=tuple({"name": words(name)} for name in named),
        acquired_at=moment(raw.get("StartTime")),
        vendor=vendor_document({"MicroManager": tif.micromanager_metadata}),
    )


def _channel_names(raw: RawDict) -> list[str]:
    """Return the names of the channels in a summary."""
    names = raw.get("ChNames")
    return [str(name) for name in names] if isinstance(names, list) else []


def check_index(tif: "TiffFile") -> None:
    """Refuse an index of files that lead out of the folder, before any of them is opened.

    Raises
    ------
    ReadError
        Names the file.
    """
    if not tif.is_ndtiff:
        return
    from tifffile.tifffile import read_ndtiff_index  # noqa: PLC0415  # loaded on use, like every format library

    home = Path(tif.filehandle.dirname)
    named = {str(entry[1]) for entry in read_ndtiff_index(home / "NDTiff.index")}
    for name in named:
        if PureWindowsPath(name).name != name or not (home / name).resolve().is_relative_to(home.resolve()):
            raise ReadError(f"NDTiff.index names {name!r}, which is outside of its folder; it is not followed")


def _names(tif: "TiffFile", series: "TiffPageSeries") -> list[str | None]:
    """Return the labels of the stage positions, as the index or the summary says."""
    labels = series.coords.get(POSITION_AXIS)
    if labels is not None and labels.dtype.kind == "U":
        return [words(str(label)) for label in labels]
    summary = (tif.micromanager_metadata or {}).get("Summary") or {}
    return [words(item.get("Label") or item.get("label")) for item in entries(summary.get("StagePositions"))]
