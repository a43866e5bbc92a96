"""Small OME-Zarr folders of several versions and layouts, written with zarr, with the pixels they hold."""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from zarr.storage import LocalStore

Array = np.ndarray[Any, np.dtype[Any]]
ZarrFormat = Literal[2, 3]

TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
UNITS = {"time": "second", "space": "micrometer"}


def make_ome_zarr(folder: Path) -> dict[Path, list[Array]]:
    """Write the folders and return their images as T, C, Z, Y, X."""
    dice = np.random.default_rng(11)
    made: dict[Path, list[Array]] = {}
    cases: list[tuple[str, str, tuple[int, ...], str, ZarrFormat, dict[str, Any]]] = [
        ("full_v04.ome.zarr", "tczyx", (2, 3, 2, 20, 18), "u2", 2, {}),
        ("full_v05.ome.zarr", "tczyx", (2, 2, 3, 24, 16), "f4", 3, {"shards": (1, 1, 3, 16, 16)}),
        ("plane_v04.ome.zarr", "yx", (17, 13), "u1", 2, {"compressors": None}),
        ("movie_v05.ome.zarr", "tyx", (3, 12, 16), "i2", 3, {"compressors": None}),
        ("turned_v04.ome.zarr", "xyz", (9, 11, 5), ">f4", 2, {}),
        ("turned_v05.ome.zarr", "cxyz", (2, 9, 11, 5), "u4", 3, {}),
    ]
    for name, axes, shape, dtype, version, options in cases:
        stored = _pixels(dice, shape, dtype)
        write_image(folder / name, stored, axes, version, **options)
        made[folder / name] = [canonical(stored, axes)]
    fields = [_pixels(dice, (2, 8, 10), "u2") for _ in range(3)]
    made[_plate(folder / "plate.ome.zarr", fields)] = [canonical(field, "cyx") for field in fields]
    series = [_pixels(dice, shape, "u1") for shape in ((1, 1, 2, 9, 8), (1, 2, 1, 7, 11))]
    made[_series(folder / "series.zarr", series)] = series
    made[zip_folder(folder / "full_v05.ome.zarr", "zipped.ome.zarr.zip")] = made[folder / "full_v05.ome.zarr"]
    return made


def zip_folder(folder: Path, name: str, top: str = "", method: int = zipfile.ZIP_STORED) -> Path:
    """Write a zip of a Zarr folder beside it and return its path."""
    path = folder.with_name(name)
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, top + file.relative_to(folder).as_posix())
    return path


def write_image(
    path: Path, stored: Array, axes: str, zarr_format: ZarrFormat = 2, *, levels: int = 2, **options: Any
) -> Path:
    """Write a multiscale image: 0.4 in Zarr v2 or 0.5 in Zarr v3; level n is every 2^n-th pixel in y and x."""
    group = zarr.create_group(LocalStore(path), zarr_format=zarr_format, overwrite=False)
    datasets = []
    for level in range(levels):
        step = 2**level
        pixels = stored[tuple(slice(None, None, step if axis in "yx" else 1) for axis in axes)]
        named = {"dimension_names": tuple(axes)} if zarr_format == 3 else {}
        write_array(group, str(level), pixels, **named, **(options if level == 0 else {}))
        scale = [0.5 * step if axis in "yx" else 2.0 for axis in axes]
        datasets.append({"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]})
    channels = [
        {"label": f"dye {c}", "color": "00FF7F"} for c in range(stored.shape[axes.index("c")] if "c" in axes else 1)
    ]
    multiscale: dict[str, Any] = {"name": path.name, "axes": axes_document(axes), "datasets": datasets}
    if zarr_format == 2:
        group.attrs.update({"multiscales": [{"version": "0.4", **multiscale}], "omero": {"channels": channels}})
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": [multiscale], "omero": {"channels": channels}}
    return path


def write_array(group: zarr.Group, name: str, pixels: Array, **options: Any) -> None:
    """Write one array in chunks of at most 8 x 16."""
    largest = (1, 1, 1, 8, 16)[-pixels.ndim :]
    chunks = tuple(min(length, most) for length, most in zip(pixels.shape, largest, strict=True))
    if "shards" in options:
        chunks = tuple(min(chunk, shard) for chunk, shard in zip(chunks, options["shards"], strict=True))
    encoding: Any = {"name": "v2" if group.metadata.zarr_format == 2 else "default", "separator": "/"}
    array = group.create_array(
        name, shape=pixels.shape, chunks=chunks, dtype=pixels.dtype, chunk_key_encoding=encoding, **options
    )
    array[...] = pixels


def axes_document(axes: Sequence[str]) -> list[dict[str, str]]:
    """Return the axes with types and units as 0.4 and 0.5 want them."""
    document = []
    for axis in axes:
        unit = UNITS.get(TYPES[axis])
        document.append({"name": axis, "type": TYPES[axis], **({"unit": unit} if unit else {})})
    return document


def canonical(stored: Array, axes: str) -> Array:
    """Return stored pixels as T, C, Z, Y, X."""
    order = [axes.index(axis) for axis in "tczyx" if axis in axes]
    lengths = [stored.shape[axes.index(axis)] if axis in axes else 1 for axis in "tczyx"]
    return stored.transpose(order).reshape(lengths)


def write_json(path: Path, document: object) -> None:
    """Write a document, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))


def _plate(path: Path, fields: Sequence[Array]) -> Path:
    """Write a 0.4 plate: two fields in well A/1, the rest in B/2."""
    wells = {"A/1": fields[:2], "B/2": fields[2:]}
    write_json(path / ".zgroup", {"zarr_format": 2})
    listing = [{"path": well, "rowIndex": row, "columnIndex": row} for row, well in enumerate(wells)]
    write_json(path / ".zattrs", {"plate": {"version": "0.4", "wells": listing}})
    for well, images in wells.items():
        write_json(path / well / ".zgroup", {"zarr_format": 2})
        numbers = [{"path": str(number)} for number in range(len(images))]
        write_json(path / well / ".zattrs", {"well": {"version": "0.4", "images": numbers}})
        for number, image in enumerate(images):
            write_image(path / well / str(number), image, "cyx")
    return path


def _series(path: Path, images: Sequence[Array]) -> Path:
    """Write what bioformats2raw writes for a file with several images."""
    write_json(path / ".zgroup", {"zarr_format": 2})
    write_json(path / ".zattrs", {"bioformats2raw.layout": 3})
    write_json(path / "OME" / ".zgroup", {"zarr_format": 2})
    write_json(path / "OME" / ".zattrs", {"series": [str(number) for number in range(len(images))]})
    for number, image in enumerate(images):
        write_image(path / str(number), image, "tczyx")
    return path


def _pixels(dice: np.random.Generator, shape: tuple[int, ...], dtype: str) -> Array:
    return dice.integers(1, 120, shape).astype(dtype)


def counted(*shape: int, dtype: str = "u2") -> Array:
    """Return pixels that differ."""
    return (np.arange(int(np.prod(shape))) % 251 + 1).reshape(shape).astype(dtype)


def edit(path: Path, **changes: Any) -> None:
    """Change a JSON document."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def bare(path: Path, arrays: dict[str, Array], attributes: dict[str, Any], zarr_format: ZarrFormat = 2) -> Path:
    """Write arrays and attributes without adding anything."""
    group = zarr.create_group(LocalStore(path), zarr_format=zarr_format)
    for name, pixels in arrays.items():
        write_array(group, name, pixels)
    group.attrs.update(attributes)
    return path


def chunks(path: Path) -> list[Path]:
    """Return the files below a folder that hold pixels."""
    return sorted(item for item in path.rglob("*") if item.is_file() and not item.name.startswith((".z", "zarr.json")))
