"""OME-Zarr folders, 0.1 to 0.5: images, plates, wells and the layout of bioformats2raw.

Every multiscale is an image; label images are not. A field of a plate is an image named ``"A/1/0"``. Metadata comes
from the JSON documents alone; ``zarr`` is loaded when the first pixel is asked for. A chunk that is not stored is the
fill value, by definition of the format.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import ReadError
from coverslip.model import ImageMetadata, Level, Probe, Region
from coverslip.model.protocols import StoredGroup
from coverslip.readers.ome_zarr.chunks import open_array
from coverslip.readers.ome_zarr.documents import Node, is_zarr, read_node
from coverslip.readers.ome_zarr.layout import Found, find, stated_version
from coverslip.readers.ome_zarr.metadata import (
    CANONICAL,
    Axes,
    parse_axes,
    parse_channels,
    parse_scale,
)
from coverslip.readers.ome_zarr.stored import stored_group
from coverslip.readers.units import length, seconds
from coverslip.readers.vendor_metadata import vendor_document

if TYPE_CHECKING:
    from numpy.typing import NDArray


class _ZarrFile:
    """An open OME-Zarr folder. Between two reads nothing is held open."""

    def __init__(self, path: Path) -> None:
        self.files = (path,)
        missing: list[str] = []
        found = list(find(path, missing))
        if not found and missing:
            raise ReadError(f"{path}: nothing of what the metadata lists is there: {', '.join(missing[:5])}")
        notes = (f"listed but missing: {', '.join(missing[:20])}",) if missing else ()
        self.images = tuple(image for item in found for image in _images(item, notes))

    def close(self) -> None:
        """Forget the arrays."""
        for image in self.images:
            image.arrays.clear()


class _ZarrImage:
    """One multiscale."""

    def __init__(
        self, levels: tuple[Node, ...], axes: Axes, metadata: ImageMetadata, stored: StoredGroup | None
    ) -> None:
        self.metadata = metadata
        self.stored = stored
        self.arrays: dict[int, Any] = {}
        self._levels = levels
        self._axes = axes

    def read(self, level: int, region: Region) -> "NDArray[Any]":
        """Return the pixels of a resolved region; only chunks that touch it are read."""
        spans = dict(zip(CANONICAL, region.spans, strict=True))
        if not self._axes.folded:
            return self._read_box(level, spans, ())
        grid = self._axes.channel_grid(self._levels[level].shape)
        planes = []
        for channel in range(*spans["c"]):
            c, *rest = (int(index) for index in np.unravel_index(channel, grid))
            planes.append(self._read_box(level, spans | {"c": (c, c + 1)}, tuple(rest)))
        return np.concatenate(planes, axis=1)

    def _read_box(self, level: int, spans: Mapping[str, tuple[int, int]], folded: tuple[int, ...]) -> "NDArray[Any]":
        """Return a box at one place of the folded axes, as T, C, Z, Y, X."""
        roles, places = self._axes.roles, iter(folded)
        box = tuple(slice(*spans[role]) if role != "+" else slice(at := next(places), at + 1) for role in roles)
        try:
            stored = np.asarray(self._array(level)[box])
        except ReadError as error:
            raise ReadError(f"{self._levels[level].folder}: {error}. Copy it again from its source") from error
        order = (*self._axes.folded, *(roles.index(role) for role in CANONICAL if role in roles))
        lengths = (spans[role][1] - spans[role][0] for role in CANONICAL)
        return stored.transpose(order).reshape(tuple(lengths))

    def _array(self, level: int) -> Any:
        if level not in self.arrays:
            node = self._levels[level]
            self.arrays[level] = open_array(node.folder, node.zarr_document)
        return self.arrays[level]


class _ZarrReader:
    """Opens OME-Zarr folders."""

    name = "ome-zarr"
    title = "OME-Zarr"
    extensions = (".ome.zarr", ".zarr", ".ngff")
    package = "zarr"
    module = "zarr"

    def recognises(self, probe: Probe) -> bool:
        """Return whether the folder is a Zarr group or array."""
        return probe.is_folder and is_zarr(probe.path)

    def open(self, path: Path) -> _ZarrFile:
        """Open the folder and read its JSON documents.

        Raises
        ------
        ReadError
            Something that the metadata promises is missing or damaged.
        UnsupportedFormatError
            It is Zarr, but holds no OME-Zarr image.
        """
        return _ZarrFile(path)


reader = _ZarrReader()


def _images(found: Found, notes: tuple[str, ...]) -> Iterator[_ZarrImage]:
    """Return an image per multiscale of a group."""
    multiscales = found.group.ome.get("multiscales")
    if not isinstance(multiscales, list) or not multiscales or not all(isinstance(item, dict) for item in multiscales):
        raise ReadError(f"{found.group.folder}: the metadata should describe multiscales and does not")
    for index, multiscale in enumerate(multiscales):
        own = str(multiscale.get("name") or "").strip("/ ")
        name = found.name if found.fixed or not own else own
        name = f"{name} {index}" if len(multiscales) > 1 and name != own else name
        try:
            yield _image(found, multiscale, name, notes)
        except ReadError as error:
            place = "" if str(found.group.folder) in str(error) else f"{found.group.folder}: "
            raise ReadError(f"{place}{error}") from error


def _image(found: Found, multiscale: Mapping[str, Any], name: str, notes: tuple[str, ...]) -> _ZarrImage:
    datasets = multiscale.get("datasets")
    if not isinstance(datasets, list) or not datasets or not all(isinstance(item, dict) for item in datasets):
        raise ReadError("the multiscale lists no datasets")
    first = read_node(found.group.child(datasets[0].get("path")))
    if first is None or first.array is None:
        raise ReadError(f"level 0 is missing: there is no array at {datasets[0].get('path')!r}")
    axes = parse_axes(multiscale, len(first.shape))
    levels, dropped = _levels(found.group, datasets, first, axes)
    scale = parse_scale(multiscale, datasets[0], len(first.shape))
    empty = () if first.holds_chunks() else ("no chunk of level 0 is stored: every pixel is the fill value",)
    size_c = int(np.prod(axes.channel_grid(first.shape)))
    channels, doubts = parse_channels(found.group.ome, size_c)
    metadata = ImageMetadata(
        name=name,
        file_format="OME-Zarr",
        format_variant=stated_version(multiscale)
        or found.group.version
        or found.version
        or _guess(multiscale, found.group),
        size_t=axes.length("t", first.shape),
        size_c=size_c,
        **_extent(axes, first.shape),
        dtype=first.dtype,
        levels=tuple(Level(**_extent(axes, level.shape)) for level in levels),
        **_sizes(axes, scale),
        channels=channels,
        source_axes=axes.label,
        note="; ".join((*axes.note(), *dropped, *doubts, *empty, *notes)) or None,
        vendor=vendor_document({"attributes": found.group.attributes, "array": _array_facts(first)}),
    )
    stored = None if dropped else stored_group(found.group, found.group.ome["multiscales"], levels, axes)
    return _ZarrImage(levels, axes, metadata, stored)


def _levels(
    group: Node, datasets: list[dict[str, Any]], first: Node, axes: Axes
) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    """Return the usable levels and why others are not: missing, of another kind, or larger than the one before."""
    levels, notes = [first], []
    for dataset in datasets[1:]:
        path = dataset.get("path")
        level = read_node(group.child(path))
        if level is None or level.array is None:
            notes.append(f"level {path!r} is listed but missing")
        elif not _fits(levels[-1], level, axes):
            notes.append(f"level {path!r} is left out: {level.shape} {level.dtype} is no smaller copy of {first.shape}")
        else:
            levels.append(level)
    return tuple(levels), tuple(notes)


def _fits(finer: Node, coarser: Node, axes: Axes) -> bool:
    """Return whether a level can follow another: same type, T, C and folded axes alike, Z, Y, X not larger."""
    if coarser.dtype != finer.dtype or len(coarser.shape) != len(finer.shape):
        return False
    pairs = zip(axes.roles, finer.shape, coarser.shape, strict=True)
    return all(small <= large if role in "zyx" else small == large for role, large, small in pairs)


def _extent(axes: Axes, shape: tuple[int, ...]) -> dict[str, int]:
    return {f"size_{role}": axes.length(role, shape) for role in "zyx"}


def _sizes(axes: Axes, scale: tuple[float, ...] | None) -> dict[str, Any]:
    """Return pixel sizes and time increment; a scale without a unit says nothing about either."""
    if scale is None:
        return {}
    by_role = {role: (scale[index], axes.units[index]) for index, role in enumerate(axes.roles)}
    sizes: dict[str, Any] = {f"pixel_size_{role}": length(*by_role[role]) for role in "zyx" if role in by_role}
    return sizes | ({"time_increment_s": seconds(*by_role["t"])} if "t" in by_role else {})


def _guess(multiscale: Mapping[str, Any], group: Node) -> str:
    """Return the version that looks like the documents where none is stated."""
    if group.zarr_format == 3:
        return "0.5"
    axes = multiscale.get("axes")
    if not isinstance(axes, list):
        return "0.2"
    return "0.4" if any(isinstance(axis, dict) for axis in axes) else "0.3"


def _array_facts(node: Node) -> dict[str, Any]:
    """Return how level 0 is stored, as its document says."""
    wanted = ("shape", "chunks", "dtype", "compressor", "filters", "order", "chunk_grid", "data_type", "codecs")
    return {key: value for key, value in (node.array or {}).items() if key in wanted} | {
        "zarr_format": node.zarr_format
    }
