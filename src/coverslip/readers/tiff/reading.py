"""TIFF family: plain and Big TIFF, OME-TIFF (pyramids, multi-file sets), ImageJ, LSM, STK and what tifffile knows.

Mapping to T, C, Z, Y, X[, S]: a nameless sequence of pages is z (else t, else c), other exotic axes are channels, the
samples of a pixel stay samples. Palette images are read as indices; nothing is inverted, rotated or converted.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from coverslip.errors import BudgetError, ReadError
from coverslip.model import ImageMetadata, Level, Probe, Region
from coverslip.readers.budgets import check_piece
from coverslip.readers.tiff.describe import describe_all, variant
from coverslip.readers.tiff.facts import Facts
from coverslip.readers.tiff.handles import Handles
from coverslip.readers.tiff.layout import Layout, assign
from coverslip.readers.tiff.micromanager import POSITION_AXIS, Position, check_index, positions
from coverslip.readers.tiff.pixels import Planes, check
from coverslip.readers.tiff.scanimage import arrangement
from coverslip.readers.tiff.series import absent_note, all_series, members, prepare, refuse_sets
from coverslip.sources import RemotePath

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPageSeries

    from coverslip.model.protocols import Array

MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")


class _Level:
    """One pyramid level: where its planes are and how they make the canonical array."""

    def __init__(self, series: "TiffPageSeries", layout: Layout, handles: Handles) -> None:
        check(series)
        self._series = series
        self.layout = layout
        self.planes = Planes(series, handles)
        self._is_direct = self.layout.is_regular and series.transform is None
        if self.planes.count * self.planes.rows * self.planes.columns * self.planes.samples != math.prod(series.shape):
            raise ReadError(f"the header promises {series.axes} {series.shape}, the pages do not add up to it")

    @property
    def size(self) -> Level:
        return Level(size_z=self.layout.size("Z"), size_y=self.layout.size("Y"), size_x=self.layout.size("X"))

    def read(self, region: Region) -> "Array":
        """Return a region: shape T, C, Z, Y, X (and S)."""
        if not self._is_direct:
            return self._read_all()[region.slices]
        samples = self.layout.size("S")
        shape = region.shape
        out: Array = np.empty((*shape, samples) if samples > 1 else shape, self.planes.dtype)
        self._fill(out, region)
        return out

    def read_into(self, out: "Array", region: Region) -> None:
        """Fill an array with a region: shape T, C, Z, Y, X (and S)."""
        if self._is_direct:
            self._fill(out, region)
        else:
            out[...] = self.read(region)

    def _fill(self, out: "Array", region: Region) -> None:
        """Read plane by plane, each to its place."""
        (t0, t1), (c0, c1), (z0, z1), y, x = region.spans
        samples = self.layout.size("S")
        apart = 1 if self.layout.has_inner_samples else samples
        out = out if samples > 1 else out[..., None]
        for t, c, z, s in product(range(t0, t1), range(c0, c1), range(z0, z1), range(apart)):
            try:
                number = self.layout.plane_number(t, c, z, s)
                self.planes.read(number, y, x, out[t - t0, c - c0, z - z0, :, :, s : s + self.planes.samples])
            except BudgetError as error:
                raise error.about(f"plane t={t}, c={c}, z={z}") from error
            except ReadError as error:
                raise ReadError(f"plane t={t}, c={c}, z={z}: {error}") from error

    def _read_all(self) -> "Array":
        """Layouts that do not consist of Y, X planes (line scans, x-z scans) are rare and small: read at once."""
        planes = self.planes
        check_piece(self._series.nbytes, self._series.nbytes, None, f"an image of the axes {self._series.axes}")
        whole: Array = np.empty((planes.count, planes.rows, planes.columns, planes.samples), planes.dtype)
        for number in range(planes.count):
            planes.read(number, (0, planes.rows), (0, planes.columns), whole[number])
        if self._series.transform is not None:
            whole = self._series.transform(whole)
        return self.layout.to_canonical(whole)


class _Image:
    """One series of the file."""

    def __init__(self, metadata: ImageMetadata, levels: Sequence[_Level], path: Path) -> None:
        self.metadata = metadata
        self._levels = levels
        self._path = path

    def read(self, level: int, region: Region) -> "Array":
        """Return the pixels of a region; see ``model.protocols.CanRead``."""
        try:
            return self._levels[level].read(region)
        except BudgetError as error:
            raise error.about(self._path) from error
        except ReadError as error:
            raise self._named(error) from error

    def read_into(self, out: "Array", level: int, region: Region) -> None:
        """Fill an array with the pixels of a region."""
        try:
            self._levels[level].read_into(out, region)
        except ReadError as error:
            raise self._named(error) from error

    def _named(self, error: ReadError) -> ReadError:
        missing = f". {self.metadata.note}" if self.metadata.note else ""
        return ReadError(f"{self._path}: {error}{missing}")


class OpenTiff:
    """An open TIFF file and the members of its set.

    Parameters
    ----------
    tif
        The file, open; closed with this.
    path
        What was opened: the file, or another one of its set.
    companion
        The file with the OME-XML of the set where it is one of its own, the XML with all names kept inside its
        folder, and the names that were refused.
    """

    concurrent = True

    def __init__(self, tif: "TiffFile", path: Path, companion: tuple[Path, str, tuple[str, ...]] | None = None) -> None:
        self._tif = tif
        self._handles = Handles(tif.filehandle)
        ome, refused = prepare(tif, companion[1:] if companion else None)
        check_index(tif)
        series, note = all_series(tif, path)
        if isinstance(path, RemotePath):
            refuse_sets(tif, series)
        belonging = ((companion[0],) if companion else ()) + (
            () if isinstance(path, RemotePath) else members(tif, series)
        )
        self.files = (path, *(member for member in belonging if member != path and not member.samefile(path)))
        facts = describe_all(tif, series, ome)
        self.images: list[_Image] = []
        for index, one in enumerate(series):
            if one.keyframe.dtype is None:
                continue
            absent = absent_note(one, ome, refused, Path(tif.filehandle.dirname))
            notes = (note, facts[index].note, absent)
            for position in positions(tif, one):
                place = (path, index, position)
                self.images.append(_image(tif, one, facts[index], place, notes, self._handles))
        if not self.images:
            raise ReadError(f"{path}: the file holds no image of a pixel type that can be read")

    def close(self) -> None:
        """Close the file and all members."""
        self._handles.close()
        self._tif.close()


class Tiff:
    """Reader of the TIFF family."""

    def recognises(self, probe: Probe) -> bool:
        """Return whether the file starts as a TIFF or BigTIFF of either byte order.

        A DICOM file may carry a TIFF header in its preamble; its pixels are DICOM's.
        """
        return probe.head.startswith(MAGIC) and probe.head[128:132] != b"DICM"

    def reads_ranges(self, probe: Probe) -> bool:
        """Return true: pages, strips and tiles are found by their offsets."""
        return self.recognises(probe)

    def open(self, path: Path) -> OpenTiff:
        """Open the file and read its directories, not its pixels.

        Raises
        ------
        ReadError
            The file is damaged, truncated or declares what it cannot hold.
        """
        from tifffile import TiffFile  # noqa: PLC0415  # a missing package must not break the other readers

        with ExitStack() as undo:
            remote = undo.enter_context(path.open("rb")) if isinstance(path, RemotePath) else None
            tif = undo.enter_context(TiffFile(path) if remote is None else TiffFile(remote, name=path.name))
            opened = OpenTiff(tif, path)
            undo.pop_all()
        return opened


def _image(
    tif: "TiffFile",
    series: "TiffPageSeries",
    facts: Facts,
    place: tuple[Path, int, Position | None],
    notes: Sequence[str | None],
    handles: Handles,
) -> _Image:
    path, index, position = place
    axes, lengths = arrangement(tif, series)
    roles, mapping = assign(axes, lengths, facts.sequence, POSITION_AXIS if position else None)
    levels = [_Level(series, Layout.of(axes, roles, lengths, position.index if position else 0), handles)]
    for smaller in series.levels[1:]:
        level = _smaller(smaller, series.axes, roles, levels[-1], handles)
        if level is None:
            break
        levels.append(level)
    layout = levels[0].layout
    size_t, size_c, size_z, size_y, size_x, samples = (layout.size(role) for role in "TCZYXS")
    array = {
        "name": path.name if index == 0 else f"{path.name} #{index + 1}",
        "file_format": "TIFF",
        "format_variant": "MIBItiff" if "MIBI" in facts.vendor else variant(tif, series.kind),
        "size_t": size_t,
        "size_c": size_c,
        "size_z": size_z,
        "size_y": size_y,
        "size_x": size_x,
        "samples": samples,
        "dtype": series.dtype.name,
        "levels": tuple(level.size for level in levels),
        "source_axes": "".join(
            axis
            for axis, n in zip(axes, lengths, strict=True)
            if (n > 1 or axis in "YX") and not (position and axis == POSITION_AXIS)
        ),
        "note": "; ".join(filter(None, (*notes, mapping))) or None,
        "vendor": dict(facts.vendor),
    }
    name = position.name if position else series.name if series.kind != "ome" else ""
    return _Image(_metadata(array, facts, name, layout.folds(axes)), levels, path)


def _smaller(series: "TiffPageSeries", axes: str, roles: str, above: _Level, handles: Handles) -> _Level | None:
    """Return a further pyramid level, or ``None`` where it is not the same image with smaller z, y, x."""
    if series.axes != axes or series.keyframe.dtype is None or above.planes.dtype != series.dtype:
        return None
    try:
        level = _Level(series, Layout.of(axes, roles, series.shape), handles)
    except ReadError:
        return None
    same = all(level.layout.size(role) == above.layout.size(role) for role in "TCS")
    shrinks = all(level.layout.size(role) <= above.layout.size(role) for role in "ZYX")
    return level if same and shrinks else None


def _metadata(
    array: Mapping[str, Any], facts: Facts, series_name: str, folds: Sequence[tuple[str, int]]
) -> ImageMetadata:
    """Return the metadata; should a stated fact be impossible after all, the image without them."""
    stated: dict[str, Any] = {
        key: getattr(facts, key)
        for key in (
            *("pixel_size_x", "pixel_size_y", "pixel_size_z", "time_increment_s"),
            *("objective", "microscope", "acquired_at"),
        )
    }
    stated["name"] = facts.name or series_name or array["name"]
    try:
        return ImageMetadata(**{**array, **stated, "channels": facts.channel_infos(array["size_c"], folds)})
    except ValidationError as error:
        note = f"metadata was left out: {error.errors()[0]['msg']}"
        return ImageMetadata(**{**array, "note": "; ".join(filter(None, (array["note"], note)))})


reader = Tiff()
