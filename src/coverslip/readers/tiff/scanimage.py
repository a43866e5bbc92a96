"""ScanImage: volumes, slices, frames and channels from the settings of the stack.

https://docs.scanimage.org/Appendix/ScanImage+BigTiff+Specification.html
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from coverslip.readers.tiff.facts import Facts
from coverslip.readers.units import length, seconds
from coverslip.readers.vendor_metadata import number, positive, vendor_document, words

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

KIND = "scanimage"
RawDict = Mapping[str, Any]
"""The settings as tifffile gives them: names with dots, values of MATLAB."""


def settings_of(tif: "TiffFile") -> RawDict:
    """Return the settings: at the beginning of the file, or in the Software tag of smaller and older files."""
    from tifffile.tifffile import matlabstr2py  # noqa: PLC0415  # loaded on use, like every format library

    stored = (tif.scanimage_metadata or {}).get("FrameData")
    found = stored or matlabstr2py(tif.pages.first.software)
    return found if isinstance(found, dict) else {}


def arrangement(tif: "TiffFile", series: "TiffPageSeries") -> tuple[str, tuple[int, ...]]:
    """Return axes and lengths of a series. In ScanImage's, channels follow one another, then frames, slices, volumes.

    tifffile takes what it does not find in the settings for slices or frames. Where the pages do not come out even with
    the settings, its reading stays.
    """
    plain = series.axes, tuple(series.shape)
    if series.kind != KIND:
        return plain
    raw = settings_of(tif)
    channels = len(_saved(raw))
    slices = _count(raw, "SI.hStackManager.actualNumSlices", "SI.hStackManager.numSlices")
    frames = _count(raw, "SI.hStackManager.framesPerSlice")
    pages = math.prod(series.shape) // math.prod(series.keyframe.shape)
    if not channels or pages % (channels * slices * frames):
        return plain
    volumes = pages // (channels * slices * frames)
    return f"TZQC{series.keyframe.axes}", (volumes, slices, frames, channels, *series.keyframe.shape)


def facts(raw: RawDict, width: int, height: int) -> Facts:
    """Return the facts of a ScanImage stack.

    Parameters
    ----------
    raw
        Settings.
    width, height
        Pixels of a plane, for the pixel size: the settings say how large the field is.
    """
    names = _flat(raw.get("SI.hChannels.channelName"))
    channels = tuple({"name": _name(names, saved)} for saved in _saved(raw))
    slices = _count(raw, "SI.hStackManager.actualNumSlices", "SI.hStackManager.numSlices")
    steps = (number(raw.get(f"SI.hStackManager.{key}")) for key in ("actualStackZStepSize", "stackZStepSize"))
    step = next(filter(None, steps), None)
    period = positive(raw.get("SI.hRoiManager.scanFramePeriod"))
    per_volume = positive(raw.get("SI.hRoiManager.scanVolumeRate"))
    is_single = _count(raw, "SI.hStackManager.framesPerSlice") == 1
    interval = period if slices == 1 else 1 / per_volume if per_volume and is_single else None
    x, y = _field(raw.get("SI.hRoiManager.imagingFovUm"))
    return Facts(
        pixel_size_x=length(x / width, "um") if x else None,
        pixel_size_y=length(y / height, "um") if y else None,
        pixel_size_z=length(abs(step), "um") if step and slices > 1 else None,
        time_increment_s=seconds(interval),
        channels=channels,
        sequence="T",
        vendor=vendor_document({"ScanImage": dict(raw)}),
    )


def _count(raw: RawDict, *keys: str) -> int:
    """Return the first of some settings that is a number of at least 1; 1 where none is."""
    for key in keys:
        value = positive(raw.get(key))
        if value is not None and math.isfinite(value) and value >= 1:
            return int(value)
    return 1


def _saved(raw: RawDict) -> list[int]:
    """Return the numbers of the channels that were saved, from 1."""
    return [one for one in _flat(raw.get("SI.hChannels.channelSave")) if isinstance(one, int)]


def _name(names: list[Any], saved: int) -> str:
    return (words(names[saved - 1]) if 0 < saved <= len(names) else None) or f"Channel {saved}"


def _flat(value: object) -> list[Any]:
    """Return the entries of a row, a column or a single value of MATLAB."""
    if isinstance(value, list | tuple):
        return [item for part in value for item in _flat(part)]
    return [] if value is None else [value]


def _field(corners: object) -> tuple[float | None, float | None]:
    """Return width and height of the field in micrometres, from its corners."""
    try:
        points = [(float(x), float(y)) for x, y in corners]  # type: ignore[attr-defined]  # whatever is no list of pairs
    except (TypeError, ValueError):
        return None, None
    if len(points) != 4:
        return None, None
    return positive(abs(points[1][0] - points[0][0])), positive(abs(points[3][1] - points[0][1]))
