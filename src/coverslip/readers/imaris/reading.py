"""Imaris files (``.ims``): channels, time points and resolution levels of an HDF5 file.

Experimental: tested with files written in the layout that the maker describes, not with files of a microscope.
Only what lies in the file itself is read: links to other files, external and virtual data are refused.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ChannelInfo, ImageMetadata, Level, PhysicalSize, Probe, Region
from coverslip.model.metadata import Unit
from coverslip.readers.vendor_metadata import bounded, json_document, moment, number, optional, positive, words

if TYPE_CHECKING:
    import h5py

    from coverslip.model.protocols import Array

MAGIC = b"\x89HDF\r\n\x1a\n"
MARK = b"DataSetInfo"
LOOK_BYTES = 1 << 20
"""How far the mark is looked for; the names of the first groups stand near the beginning."""
MAX_LEVELS = 32
MAX_CHANNELS = 4096
MAX_TIMES = 1_000_000
DTYPES = {"uint8", "uint16", "uint32", "float32"}
UNITS: dict[str, Unit] = {"um": "um", "µm": "um", "nm": "nm", "mm": "mm", "m": "m"}


class _Reader:
    """Opens Imaris files."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether this is HDF5 with the groups of Imaris."""
        if not probe.head.startswith(MAGIC):
            return False
        if MARK in probe.head:
            return True
        try:
            with probe.path.open("rb") as stream:
                return MARK in stream.read(LOOK_BYTES)
        except OSError:
            return False

    def open(self, path: Path) -> "_Opened":
        """Read groups and attributes; no pixel is read.

        Raises
        ------
        ReadError
            The file is damaged, or refers to other files.
        """
        import h5py  # noqa: PLC0415  # its absence must not break the other readers

        # a Python stream, not a name: HDF5 then has no folder to look for other files in
        stream = path.open("rb")
        try:
            return _Opened(path, stream, h5py.File(stream, "r"))
        except BaseException:
            stream.close()
            raise


class _Opened:
    """An open file, which is its own one image."""

    def __init__(self, path: Path, stream: Any, file: "h5py.File") -> None:
        self.files = (path,)
        self._path = path
        self._stream = stream
        self._file = file
        try:
            self.metadata = self._describe()
        except BaseException:
            file.close()
            raise
        self.images = (self,)

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a resolved region of one level."""
        (t0, t1), (c0, c1), z, y, x = region.spans
        out: Array = np.empty(region.shape, self.metadata.dtype)
        for t in range(t0, t1):
            for c in range(c0, c1):
                data = self._data(level, t, c)
                stop = self.metadata.levels[level]
                if any(n < m for n, m in zip(data.shape, (stop.size_z, stop.size_y, stop.size_x), strict=True)):
                    raise ReadError(f"{self._path}: level {level} t={t} c={c} is smaller than its image: {data.shape}")
                out[t - t0, c - c0] = data[slice(*z), slice(*y), slice(*x)]
        return out

    def close(self) -> None:
        """Release the file."""
        self._file.close()
        self._stream.close()

    def _group(self, *names: str) -> Any:
        """Return what is below a path of the file, reached without leaving it.

        Raises
        ------
        ReadError
            It is not there, or is a link to somewhere else.
        """
        import h5py  # noqa: PLC0415  # see open

        found: Any = self._file
        for name in names:
            if not isinstance(found, h5py.Group) or not isinstance(found.get(name, getlink=True), h5py.HardLink):
                raise ReadError(f"{self._path}: {'/'.join(names)} is missing, or is a link: {name}")
            found = found[name]
        return found

    def _data(self, level: int, t: int, c: int) -> "h5py.Dataset":
        import h5py  # noqa: PLC0415  # see open

        data = self._group("DataSet", f"ResolutionLevel {level}", f"TimePoint {t}", f"Channel {c}", "Data")
        if not isinstance(data, h5py.Dataset) or data.ndim != 3 or data.is_virtual or data.external:
            raise ReadError(f"{self._path}: the pixels of level {level} t={t} c={c} are none of Imaris")
        return data

    def _describe(self) -> ImageMetadata:
        info = self._group("DataSetInfo")
        levels = self._numbered("ResolutionLevel", MAX_LEVELS, "DataSet")
        times = self._numbered("TimePoint", MAX_TIMES, "DataSet", "ResolutionLevel 0")
        count = self._numbered("Channel", MAX_CHANNELS, "DataSet", "ResolutionLevel 0", "TimePoint 0")
        sizes = [self._size(level) for level in range(levels)]
        first = self._data(0, 0, 0)
        if first.dtype.name not in DTYPES:
            raise ReadError(f"{self._path}: pixels of {first.dtype.name} are none of Imaris")
        sections = {name: _attributes(info[name]) for name in self._sections(info)}
        image = sections.get("Image", {})
        x, y, z = (_voxel(image, axis, length) for axis, length in enumerate(reversed(sizes[0])))
        return ImageMetadata(
            name=words(image.get("Name")) or self._path.name,
            file_format="Imaris",
            size_t=times,
            size_c=count,
            size_z=sizes[0][0],
            size_y=sizes[0][1],
            size_x=sizes[0][2],
            dtype=first.dtype.name,
            levels=tuple(Level(size_z=size[0], size_y=size[1], size_x=size[2]) for size in sizes),
            pixel_size_x=x,
            pixel_size_y=y,
            pixel_size_z=z if sizes[0][0] > 1 else None,
            time_increment_s=optional(partial(_time_increment, sections.get("TimeInfo", {}), times), None),
            channels=tuple(_channel(sections.get(f"Channel {c}", {}), c) for c in range(count)),
            acquired_at=_moment(image.get("RecordingDate")),
            source_axes="TCZYX",
            vendor=bounded(json_document(sections)),
        )

    def _sections(self, info: Any) -> list[str]:
        """Return the names of the sections of the description, those that are links left out."""
        import h5py  # noqa: PLC0415  # see open

        names = list(info)[:MAX_CHANNELS]
        return [name for name in names if isinstance(info.get(name, getlink=True), h5py.HardLink)]

    def _numbered(self, kind: str, limit: int, *names: str) -> int:
        """Return how many groups ``kind 0``, ``kind 1`` ... there are without a gap."""
        group = self._group(*names)
        present = {int(found[1]) for name in group if (found := re.fullmatch(rf"{kind} (\d{{1,7}})", name))}
        count = len(present)
        if not count or count > limit or present != set(range(count)):
            raise ReadError(f"{self._path}: the groups {kind!r} are {sorted(present)[:10]}, not 0, 1, 2 ...")
        return count

    def _size(self, level: int) -> tuple[int, int, int]:
        """Return Z, Y, X of a level; the stored blocks are larger than the image at its borders."""
        data = self._data(level, 0, 0)
        attributes = _attributes(self._group("DataSet", f"ResolutionLevel {level}", "TimePoint 0", "Channel 0"))
        stated = [number(attributes.get(f"ImageSize{axis}")) for axis in "ZYX"]
        size = [int(length) if length else stored for length, stored in zip(stated, data.shape, strict=True)]
        if any(not 0 < length <= stored for length, stored in zip(size, data.shape, strict=True)):
            raise ReadError(f"{self._path}: level {level} promises {size} pixels and stores {data.shape}")
        return size[0], size[1], size[2]


reader = _Reader()


def _attributes(group: Any) -> dict[str, str]:
    """Return the attributes of a group; Imaris writes texts as arrays of single bytes."""
    return {str(name): optional(partial(_text, group, name), "") for name in group.attrs}


def _text(group: Any, name: str) -> str:
    raw = group.attrs[name]
    if isinstance(raw, np.ndarray) and raw.dtype.kind == "S":
        return raw.tobytes().decode("utf-8", "replace")
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)


def _voxel(image: dict[str, str], axis: int, length: int) -> PhysicalSize | None:
    """Return the voxel size of axis 0 (X), 1 (Y) or 2 (Z): the extent over the number of voxels."""
    low, high = number(image.get(f"ExtMin{axis}")), number(image.get(f"ExtMax{axis}"))
    unit = UNITS.get((image.get("Unit") or "um").strip())
    if low is None or high is None or unit is None:
        return None
    return PhysicalSize.known((high - low) / length, unit)


def _channel(section: dict[str, str], index: int) -> ChannelInfo:
    return ChannelInfo(
        index=index,
        name=words(section.get("Name")) or f"Channel {index}",
        color=optional(partial(_color, section.get("Color", "")), None),
        excitation_wavelength_nm=positive(section.get("LSMExcitationWavelength")),
        emission_wavelength_nm=positive(section.get("LSMEmissionWavelength")),
    )


def _color(text: str) -> str | None:
    """Return ``#rrggbb`` from three numbers between 0 and 1."""
    parts: Sequence[float | None] = [number(part) for part in text.split()]
    if len(parts) != 3 or not all(part is not None and 0 <= part <= 1 for part in parts):
        return None
    return "#" + "".join(f"{round((part or 0) * 255):02x}" for part in parts)


def _time_increment(section: dict[str, str], times: int) -> float | None:
    """Return the mean seconds between the first and the last time point."""
    first, last = _moment(section.get("TimePoint1")), _moment(section.get(f"TimePoint{times}"))
    if times < 2 or first is None or last is None:
        return None
    return positive((last - first).total_seconds() / (times - 1))


def _moment(text: str | None) -> datetime | None:
    return moment(text)
