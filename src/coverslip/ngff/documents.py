"""The JSON documents of an OME-Zarr image: 0.5 in Zarr 3, 0.4 in Zarr 2. Pure: metadata -> documents.

Formats: https://ngff.openmicroscopy.org/0.5/ and https://ngff.openmicroscopy.org/0.4/. Both say the same things.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from coverslip.model import ImageMetadata
from coverslip.model.metadata import Unit
from coverslip.ngff.encoding import ZSTD, Compression, Version, bytes_codec, compression_words, type_words
from coverslip.ngff.pyramid import PyramidLevel

AXES = "tczyx"
AXIS_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
SAMPLE_NAMES = ("R", "G", "B", "A")
SAMPLE_COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255))
WHITE = (255, 255, 255)

UNITS: Mapping[Unit, str] = {
    "pm": "picometer",
    "angstrom": "angstrom",
    "nm": "nanometer",
    "um": "micrometer",
    "mm": "millimeter",
    "cm": "centimeter",
    "m": "meter",
    "km": "kilometer",
    "in": "inch",
}

type Color = tuple[int, int, int]
"""Red, green, blue, each 0 to 255."""
type Window = tuple[float, float]
"""The values shown black and full bright."""


def image_documents(
    metadata: ImageMetadata,
    levels: Sequence[PyramidLevel],
    version: Version,
    *,
    windows: Sequence[Window],
    colors: Sequence[Color] | None = None,
) -> dict[str, dict[str, Any]]:
    """Return the documents of the group that is the image, by key.

    Parameters
    ----------
    metadata
        Of the image.
    levels
        Of its pyramid.
    version
        Of OME-Zarr.
    windows
        Display range of every channel, colour samples counted as channels.
    colors
        Display colour of every channel of the metadata; the file's own or white where left out. Colour samples are
        red, green and blue whatever is said here.
    """
    multiscale = {"name": metadata.name, "axes": axes(metadata), "datasets": datasets(metadata, levels)}
    omero = {
        "name": metadata.name,
        "channels": channels(metadata, windows, colors),
        "rdefs": {"defaultT": metadata.size_t // 2, "defaultZ": metadata.size_z // 2, "model": "color"},
    }
    if version == "0.5":
        ome = {"version": version, "multiscales": [multiscale], "omero": omero}
        return {"zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}}
    attributes = {"multiscales": [{"version": version, **multiscale}], "omero": {"version": version, **omero}}
    return {".zgroup": {"zarr_format": 2}, ".zattrs": attributes}


def label_documents(
    metadata: ImageMetadata, levels: Sequence[PyramidLevel], version: Version
) -> dict[str, dict[str, Any]]:
    """Return the documents of the group that is a label image, two groups below the image it belongs to."""
    multiscale = {"name": metadata.name, "axes": axes(metadata), "datasets": datasets(metadata, levels)}
    source = {"source": {"image": "../../"}}
    if version == "0.5":
        ome = {"version": version, "multiscales": [multiscale], "image-label": source}
        return {"zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}}
    attributes = {
        "multiscales": [{"version": version, **multiscale}],
        "image-label": {"version": version, **source},
    }
    return {".zgroup": {"zarr_format": 2}, ".zattrs": attributes}


def volume_documents(
    name: str, scales: Sequence[Sequence[float]], version: Version, *, is_labels: bool = False
) -> dict[str, dict[str, Any]]:
    """Return the documents of the group of a volume in the layout of the CryoET Data Portal.

    Its axes are Z, Y, X in angstrom, and its levels have a scale and no translation.

    Parameters
    ----------
    name
        Of the image.
    scales
        Voxel size of every level along Z, Y, X, in angstrom.
    version
        Of OME-Zarr.
    is_labels
        Whether its voxels name objects.
    """
    multiscale = {
        "name": name,
        "axes": [{"name": axis, "type": "space", "unit": "angstrom"} for axis in "zyx"],
        "datasets": [
            {"path": str(number), "coordinateTransformations": [{"type": "scale", "scale": list(scale)}]}
            for number, scale in enumerate(scales)
        ],
    }
    if version == "0.5":
        ome = {"version": version, "multiscales": [multiscale], **({"image-label": {}} if is_labels else {})}
        return {"zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}}
    attributes = {
        "multiscales": [{"version": version, **multiscale}],
        **({"image-label": {"version": version}} if is_labels else {}),
    }
    return {".zattrs": attributes, ".zgroup": {"zarr_format": 2}}


def labels_documents(names: Sequence[str], version: Version) -> dict[str, dict[str, Any]]:
    """Return the documents of the group that lists the label images of an image."""
    if version == "0.5":
        ome = {"version": version, "labels": list(names)}
        return {"zarr.json": {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}}
    return {".zgroup": {"zarr_format": 2}, ".zattrs": {"labels": list(names)}}


def array_document(
    shape: Sequence[int],
    chunk: Sequence[int],
    dtype: np.dtype[Any],
    version: Version,
    *,
    shard: Sequence[int] | None = None,
    compress: bool = False,
    compression: Compression = ZSTD,
    axes: str = AXES,
) -> tuple[str, dict[str, Any]]:
    """Return the key (relative to the array) and the document of one level.

    Parameters
    ----------
    shape, chunk
        Of the array and its chunks: T, C, Z, Y, X, or what ``axes`` says.
    dtype
        Of the pixels.
    version
        Of OME-Zarr.
    shard
        Shape of a shard, whole chunks; 0.5 only.
    compress
        Whether chunks are compressed.
    compression
        In which way.
    axes
        A letter for each axis.

    Raises
    ------
    UnsupportedFormatError
        Zarr has no such type of pixels.
    """
    types = type_words(dtype, version)
    if version == "0.4":
        return ".zarray", {
            "zarr_format": 2,
            "shape": list(shape),
            "chunks": list(chunk),
            **types,
            "compressor": compression_words(dtype, version, compression) if compress else None,
            "filters": None,
            "order": "C",
            "dimension_separator": "/",
        }
    codecs = [bytes_codec(dtype), *([compression_words(dtype, version, compression)] if compress else [])]
    if shard is not None:
        index = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
        sharding = {"chunk_shape": list(chunk), "codecs": codecs, "index_codecs": index, "index_location": "end"}
        codecs = [{"name": "sharding_indexed", "configuration": sharding}]
    return "zarr.json", {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        **types,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(shard or chunk)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": codecs,
        "dimension_names": list(axes),
        "attributes": {},
    }


def axes(metadata: ImageMetadata) -> list[dict[str, str]]:
    """Return the five axes; an axis whose pixel size the file does not say has no unit."""
    units = {"t": None if metadata.time_increment_s is None else "second"}
    sizes = {"z": metadata.pixel_size_z, "y": metadata.pixel_size_y, "x": metadata.pixel_size_x}
    units |= {axis: None if size is None else UNITS[size.unit] for axis, size in sizes.items()}
    named = []
    for axis in AXES:
        unit = units.get(axis)
        named.append({"name": axis, "type": AXIS_TYPES[axis], **({"unit": unit} if unit else {})})
    return named


def datasets(metadata: ImageMetadata, levels: Sequence[PyramidLevel]) -> list[dict[str, Any]]:
    """Return path, scale and translation of every level; an unknown pixel size counts pixels of level 0.

    Positions are those of pixel centres: the centre of a block of n pixels lies (n - 1) / 2 pixels from the centre of
    its first one.
    """
    sizes = (metadata.pixel_size_z, metadata.pixel_size_y, metadata.pixel_size_x)
    space = [1.0 if size is None else size.value for size in sizes]
    found = []
    for number, level in enumerate(levels):
        scale = [metadata.time_increment_s or 1.0, 1.0, *(a * b for a, b in zip(space, level.factors, strict=True))]
        shift = [0.0, 0.0, *(a * (b - 1) / 2 for a, b in zip(space, level.factors, strict=True))]
        steps: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if any(shift):
            steps.append({"type": "translation", "translation": shift})
        found.append({"path": str(number), "coordinateTransformations": steps})
    return found


def channels(
    metadata: ImageMetadata, windows: Sequence[Window], colors: Sequence[Color] | None = None
) -> list[dict[str, Any]]:
    """Return label, colour and display range of every channel, colour samples counted as channels."""
    dtype = np.dtype(metadata.dtype)
    samples = metadata.samples
    entries = []
    for number, (start, end) in enumerate(windows):
        index, sample = divmod(number, samples)
        info = metadata.channels[index]
        color = colors[index] if colors is not None else _own_color(info.color)
        name = info.name
        if samples > 1:
            name = sample_name(sample) if metadata.size_c == 1 else f"{info.name} {sample_name(sample)}"
            color = SAMPLE_COLORS[min(sample, 3)]
        low, high = type_range(dtype) or (start, end)
        entries.append(
            {
                "label": name,
                "color": "{:02X}{:02X}{:02X}".format(*color),
                "window": {"min": low, "max": high, "start": start, "end": end},
                "active": samples == 1 or sample < 3,
            }
        )
    return entries


def sample_name(sample: int) -> str:
    """Return R, G, B, A, or a number for what comes after."""
    return SAMPLE_NAMES[sample] if sample < len(SAMPLE_NAMES) else str(sample)


def type_range(dtype: np.dtype[Any]) -> Window | None:
    """Return the smallest and largest value of a type of whole numbers; ``None`` for all others."""
    if dtype.kind == "b":
        return 0.0, 1.0
    if dtype.kind not in "iu":
        return None
    limits = np.iinfo(dtype)
    return float(limits.min), float(limits.max)


def _own_color(text: str | None) -> Color:
    return WHITE if text is None else (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))
