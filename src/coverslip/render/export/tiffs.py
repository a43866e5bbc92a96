"""TIFF and OME-TIFF: pictures, pictures written tile by tile, and pixels in their own type."""

import io
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ExportError
from coverslip.model import Region
from coverslip.render.encode import saving
from coverslip.render.export.figure import Figure, flatten
from coverslip.render.export.pictures import Tiles
from coverslip.render.export.raw import RawImage

SOFTWARE = "Coverslip"
BIG = 3 << 30
"""Files that may become larger are BigTIFF."""
UNIT = "\N{MICRO SIGN}m"
RAW_AT_ONCE = 64 << 20
"""Bytes of pixels as they are that are written as a whole; more are written in tiles."""
RAW_TILE = 512
NOT_IN_OME = frozenset({"int64", "uint64", "float16"})
"""Types of pixels that OME-XML has no name for."""


def tiff(figure: Figure, provenance: Mapping[str, str], *, ome: bool = False) -> bytes:
    """Return a figure as a TIFF with its resolution in pixels per inch; the description is JSON, or OME-XML.

    Parameters
    ----------
    figure
        Written with all its marks.
    provenance
        Part of the description.
    ome
        Whether it is an OME-TIFF, which names the size of a pixel.
    """
    stream = io.BytesIO()
    pixels = flatten(figure)
    _write(stream, pixels, figure, provenance, ome=ome, shape=pixels.shape)
    return stream.getvalue()


def write_tiles(stream: BinaryIO, tiles: Tiles, provenance: Mapping[str, str], *, ome: bool = False) -> None:
    """Write a picture that may be larger than memory as a tiled TIFF; one tile is held at a time.

    Parameters
    ----------
    stream
        Can be written to and sought in.
    tiles
        Their side must be a multiple of 16.
    provenance, ome
        As in ``tiff``.
    """
    if tiles.side % 16:
        raise ExportError(f"tiles of a TIFF have sides of a multiple of 16, not {tiles.side}", recoverable=False)
    _write(stream, _full(tiles), tiles.figure, provenance, ome=ome, shape=tiles.shape, tile=(tiles.side, tiles.side))


def write_raw(
    stream: BinaryIO, image: RawImage, provenance: Mapping[str, str], *, ome: bool = True, dpi: float = 300.0
) -> None:
    """Write pixels as they are, with names of channels and the size of a pixel; memory is bounded.

    An OME-TIFF says both in its OME-XML. A plain TIFF has a page for each channel with its name (PageName), and says
    both in JSON in its description. The resolution of either is the true one, by which other programs
    measure; where the size of a pixel is not known it is ``dpi``.

    Parameters
    ----------
    stream
        Can be written to and sought in.
    image
        What is written, one or more channels.
    provenance
        Part of the description.
    ome
        Whether it is an OME-TIFF.
    dpi
        Pixels on an inch of paper.

    Raises
    ------
    ExportError
        TIFF has no such type: whole numbers of 64 bits in OME-TIFF, complex and half numbers.
    """
    import tifffile  # noqa: PLC0415  0.2 s that no other picture should wait for

    count, (height, width) = len(image.planes), image.where.full
    dtype = np.dtype(image.metadata.dtype)
    dtype = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    if dtype.kind not in "iuf" or (ome and dtype.name in NOT_IN_OME):
        raise ExportError(f"{'OME-TIFF' if ome else 'TIFF'} has no pixels of the type {dtype}")
    um = image.pixel_um
    sizes: dict[str, Any] = {"resolution": (dpi, dpi), "resolutionunit": "INCH"}
    if um is not None:
        sizes = {"resolution": (1e4 / um[1], 1e4 / um[0]), "resolutionunit": "CENTIMETER"}
    total = count * height * width * dtype.itemsize
    is_large = total > RAW_AT_ONCE
    how: dict[str, Any] = {
        "photometric": "minisblack",
        "dtype": dtype,
        "software": SOFTWARE,
        "compression": "zlib",
        "predictor": dtype.kind in "iu" and dtype.itemsize <= 4,
        "tile": (RAW_TILE, RAW_TILE) if is_large else None,
        **sizes,
    }
    with tifffile.TiffWriter(stream, ome=ome, bigtiff=total > BIG) as writer:
        if ome:
            metadata = _ome("CYX", um, image.names, provenance)
            shape = count, height, width
            writer.write(_pixels(image, None, dtype, in_tiles=is_large), shape=shape, metadata=metadata, **how)
            return
        for number, name in enumerate(image.names):
            description = None if number else _described(image, provenance)
            page = (285, 2, 0, name.encode("utf-8", "replace"), True)  # PageName
            pixels = _pixels(image, number, dtype, in_tiles=is_large)
            one: dict[str, Any] = {
                "shape": (height, width),
                "metadata": None,
                "description": description,
                "extratags": [page],
            }
            writer.write(pixels, **one, **how)


def _pixels(image: RawImage, channel: int | None, dtype: np.dtype[Any], *, in_tiles: bool) -> Any:
    """Return one channel as Y, X or all of them as C, Y, X: an array, or its tiles, one after the other."""
    if in_tiles:
        return _raw_tiles(image, range(len(image.planes)) if channel is None else [channel], dtype)
    if channel is None:
        return image.read(0, Region())[0, :, 0].astype(dtype, copy=False)
    return image.read(0, Region(c=(channel, channel + 1)))[0, 0, 0].astype(dtype, copy=False)


def _raw_tiles(image: RawImage, channels: Iterable[int], dtype: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    height, width = image.where.full
    for channel in channels:
        for y in range(0, height, RAW_TILE):
            for x in range(0, width, RAW_TILE):
                rows, columns = (y, min(height, y + RAW_TILE)), (x, min(width, x + RAW_TILE))
                tile = np.zeros((RAW_TILE, RAW_TILE), dtype)
                part = image.read(0, Region(c=(channel, channel + 1), y=rows, x=columns))[0, 0, 0]
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile


def _described(image: RawImage, provenance: Mapping[str, str]) -> str:
    um = image.pixel_um
    known = {} if um is None else {"PhysicalSizeX": um[1], "PhysicalSizeY": um[0], "PhysicalSizeUnit": "um"}
    return json.dumps({"Channels": list(image.names), **known, **provenance})


def _write(
    stream: BinaryIO,
    pixels: Any,
    figure: Figure,
    provenance: Mapping[str, str],
    *,
    ome: bool,
    shape: Sequence[int],
    tile: tuple[int, int] | None = None,
) -> None:
    import tifffile  # noqa: PLC0415

    known = (
        {} if figure.pixel_um is None else {"PhysicalSizeX": figure.pixel_um[1], "PhysicalSizeY": figure.pixel_um[0]}
    )
    is_worth, by_differences = saving(pixels) if isinstance(pixels, np.ndarray) else (True, True)
    saved: dict[str, Any] = {"compression": "zlib", "compressionargs": {"level": 1}, "predictor": by_differences}
    description = None if ome else json.dumps({**known, **({"PhysicalSizeUnit": "um"} if known else {}), **provenance})
    with tifffile.TiffWriter(stream, ome=ome, bigtiff=int(np.prod(shape)) > BIG) as writer:
        writer.write(
            pixels,
            shape=tuple(shape),
            dtype=np.uint8,
            photometric="rgb",
            resolution=(figure.dpi, figure.dpi),
            resolutionunit="INCH",
            software=SOFTWARE,
            description=description,
            metadata=_ome("YXS", figure.pixel_um, ("rendered",), provenance) if ome else None,
            tile=tile,
            **(saved if is_worth else {}),
        )


def _ome(
    axes: str, pixel_um: tuple[float, float] | None, names: Sequence[str], provenance: Mapping[str, str]
) -> dict[str, Any]:
    """Return what the OME-XML says. Its identifier is made of the content: the same export gives the same bytes."""
    sizes: dict[str, Any] = {}
    if pixel_um is not None:
        sizes = {"PhysicalSizeX": pixel_um[1], "PhysicalSizeXUnit": UNIT}
        sizes |= {"PhysicalSizeY": pixel_um[0], "PhysicalSizeYUnit": UNIT}
    content = json.dumps([axes, pixel_um, list(names), dict(provenance)])
    return {
        "axes": axes,
        **sizes,
        "Channel": {"Name": list(names)},
        "UUID": str(uuid.uuid5(uuid.NAMESPACE_URL, content)),
        "MapAnnotation": dict(provenance),
    }


def _full(tiles: Tiles) -> Iterator[NDArray[np.uint8]]:
    """Yield tiles of full size; what lies beyond the picture repeats its edge, which compresses well."""
    for tile in tiles:
        short = tiles.side - tile.shape[0], tiles.side - tile.shape[1]
        yield tile if short == (0, 0) else np.pad(tile, ((0, short[0]), (0, short[1]), (0, 0)), mode="edge")
