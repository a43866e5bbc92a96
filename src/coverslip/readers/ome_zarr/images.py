"""The images of an OME-Zarr: one for each multiscale, and the label images that belong to it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from coverslip.errors import BudgetError, ReadError, UnreadableFileError
from coverslip.model import ImageMetadata, LabelsInfo, Level, Region
from coverslip.model.protocols import StoredGroup
from coverslip.readers.ome_zarr.arrays import stored_array
from coverslip.readers.ome_zarr.chunks import check_chunks, open_array
from coverslip.readers.ome_zarr.documents import Node, read_node
from coverslip.readers.ome_zarr.encoding import parse_encoding
from coverslip.readers.ome_zarr.layout import Found, stated_version
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


class ZarrImage:
    """One multiscale."""

    def __init__(
        self,
        levels: tuple[Node, ...],
        axes: Axes,
        metadata: ImageMetadata,
        stored: StoredGroup | None,
        labels: "tuple[ZarrImage, ...]" = (),
    ) -> None:
        self.metadata = metadata
        self.stored = stored
        self.labels = labels
        self._arrays: dict[int, Any] = {}
        self._levels = levels
        self._axes = axes

    def labelled(self, metadata: ImageMetadata, labels: "tuple[ZarrImage, ...]") -> "ZarrImage":
        """Return the same image with its label images."""
        return ZarrImage(self._levels, self._axes, metadata, self.stored, labels)

    def forget(self) -> None:
        """Forget the arrays, which hold the store."""
        for image in (self, *self.labels):
            image._arrays.clear()

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

    def chunk(self, level: int) -> tuple[int, int, int, int, int] | None:
        """Return what is compressed at once: T, C, Z, Y, X; ``None`` where only ``zarr`` knows."""
        encoding = parse_encoding(self._levels[level].zarr_document)
        if encoding is None:
            return None
        sides = dict(zip(self._axes.roles, encoding.chunk, strict=True))
        lengths = self.metadata.level_shape(level)[:5]
        t, c, z, y, x = (min(sides.get(role, 1), length) for role, length in zip(CANONICAL, lengths, strict=True))
        return t, c, z, y, x

    def _read_box(self, level: int, spans: Mapping[str, tuple[int, int]], folded: tuple[int, ...]) -> "NDArray[Any]":
        """Return a box at one place of the folded axes, as T, C, Z, Y, X."""
        roles, places = self._axes.roles, iter(folded)
        box = tuple(slice(*spans[role]) if role != "+" else slice(at := next(places), at + 1) for role in roles)
        try:
            stored = np.asarray(self._array(level)[box])
        except UnreadableFileError:
            raise
        except BudgetError as error:
            raise error.about(self._levels[level].folder) from error
        except ReadError as error:
            raise ReadError(f"{self._levels[level].folder}: {error}. Copy it again from its source") from error
        order = (*self._axes.folded, *(roles.index(role) for role in CANONICAL if role in roles))
        lengths = (spans[role][1] - spans[role][0] for role in CANONICAL)
        return stored.transpose(order).reshape(tuple(lengths))

    def _array(self, level: int) -> Any:
        if level not in self._arrays:
            node = self._levels[level]
            check_chunks(node.array or {}, np.dtype(node.dtype).itemsize)
            self._arrays[level] = stored_array(node) or open_array(node)
        return self._arrays[level]


def images(found: Found, notes: tuple[str, ...]) -> Iterator[ZarrImage]:
    """Return an image per multiscale of a group."""
    multiscales = found.group.ome.get("multiscales")
    if not isinstance(multiscales, list) or not multiscales or not all(isinstance(item, dict) for item in multiscales):
        raise ReadError(f"{found.group.folder}: the metadata should describe multiscales and does not")
    for index, multiscale in enumerate(multiscales):
        own = str(multiscale.get("name") or "").strip("/ ")
        name = found.name if found.fixed or not own else own
        name = f"{name} {index}" if len(multiscales) > 1 and name != own else name
        try:
            yield _with_labels(_image(found, multiscale, name, notes), found)
        except ReadError as error:
            place = "" if str(found.group.folder) in str(error) else f"{found.group.folder}: "
            raise ReadError(f"{place}{error}") from error


def _with_labels(image: ZarrImage, found: Found) -> ZarrImage:
    """Return the image with the label images that its group lists; what cannot be used is noted."""
    listing = read_node(found.group.store, found.group.child("labels"))
    names = listing.ome.get("labels") if listing is not None else None
    if listing is None or not isinstance(names, list):
        return image
    labels, notes = [], []
    for name in names:
        try:
            labels.append(_label(listing, str(name), image.metadata, found.version or found.group.version))
        except ReadError as error:
            notes.append(f"label {name!r} is left out: {error}")
    described = [
        LabelsInfo(name=path, dtype=one.metadata.dtype, path=str(listing.folder / path)) for path, one in labels
    ]
    note = "; ".join(filter(None, (image.metadata.note, *notes))) or None
    metadata = image.metadata.model_copy(update={"labels": tuple(described), "note": note})
    return image.labelled(metadata, tuple(one for _, one in labels))


def _label(listing: Node, path: str, image: ImageMetadata, version: str | None) -> tuple[str, ZarrImage]:
    """Return one label image and its path among the labels."""
    group = read_node(listing.store, listing.child(path))
    multiscales = group.ome.get("multiscales") if group is not None else None
    if group is None or not isinstance(multiscales, list) or not multiscales or not isinstance(multiscales[0], dict):
        raise ReadError("it is listed but missing")
    label = _image(Found(group, path, fixed=True, version=version), multiscales[0], path, ())
    if not label.metadata.dtype.startswith(("uint", "int", "bool")):
        raise ReadError(f"labels are whole numbers, these are {label.metadata.dtype}")
    return path, label


def _image(found: Found, multiscale: Mapping[str, Any], name: str, notes: tuple[str, ...]) -> ZarrImage:
    datasets = multiscale.get("datasets")
    if not isinstance(datasets, list) or not datasets or not all(isinstance(item, dict) for item in datasets):
        raise ReadError("the multiscale lists no datasets")
    first = read_node(found.group.store, found.group.child(datasets[0].get("path")))
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
        note="; ".join(filter(None, (found.remark, *axes.note(), *dropped, *doubts, *empty, *notes))) or None,
        vendor=vendor_document({"attributes": found.group.attributes, "array": _array_facts(first)}),
    )
    stored = None if dropped else stored_group(found.group, found.group.ome["multiscales"], levels, axes)
    return ZarrImage(levels, axes, metadata, stored)


def _levels(
    group: Node, datasets: list[dict[str, Any]], first: Node, axes: Axes
) -> tuple[tuple[Node, ...], tuple[str, ...]]:
    """Return the usable levels and why others are not: missing, of another kind, or larger than the one before."""
    levels, notes = [first], []
    for dataset in datasets[1:]:
        path = dataset.get("path")
        level = read_node(group.store, group.child(path))
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
