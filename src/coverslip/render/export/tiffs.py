"""TIFF and OME-TIFF: pictures, pictures written tile by tile, and pixels in their own type."""

import io
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ExportError
from coverslip.model.export import ChannelLook
from coverslip.render.encode import saving
from coverslip.render.export.figure import Figure, flatten
from coverslip.render.export.fov import Fov, taken
from coverslip.render.export.pictures import Tiles
from coverslip.render.export.regions import Window, grid

SOFTWARE = "Coverslip"
BIG = 3 << 30
"""Files that may become larger are BigTIFF."""
UNIT = "\N{MICRO SIGN}m"


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


def raw_crop(
    fov: Fov, channels: Sequence[str], window: Window, *, masks: Sequence[str] = (), pad: bool = False
) -> NDArray[Any]:
    """Return pixels as they are: shape C, Y, X with masks after the channels, in one type that holds all.

    It is the type of the channels where the labels of the crop fit into it.

    Parameters
    ----------
    fov
        Its planes.
    channels, masks
        Exact names, in the order wanted.
    window
        Pixels at full resolution.
    pad
        Whether what lies outside is 0. Without, the crop is smaller at an edge.

    Raises
    ------
    MissingPartError
        There is no such channel or mask.
    OutsideImageError
        No pixel of the window lies in the image.
    """
    where = grid(window, fov.size, 1, pad=pad, name=fov.name)
    planes = [fov.channel(ChannelLook(channel=name)) for name in channels] + [fov.mask(name) for name in masks]
    if not planes:
        raise ExportError("neither a channel nor a mask is asked for", recoverable=False)
    (y, x), (height, width), inside = where.offset, where.shape, where.inside
    parts = [taken(plane, slice(inside.y0, inside.y1), slice(inside.x0, inside.x1)) for plane in planes]
    for place in range(len(channels), len(parts)):
        parts[place] = parts[place].astype(np.min_scalar_type(max(0, int(parts[place].max()))))
    out = np.zeros((len(planes), *where.full), np.result_type(*(part.dtype for part in parts)))
    for place, part in zip(out, parts, strict=True):
        place[y : y + height, x : x + width] = part
    return out


def raw_tiff(
    pixels: NDArray[Any], names: Sequence[str], pixel_um: tuple[float, float] | None, provenance: Mapping[str, str]
) -> bytes:
    """Return pixels as an OME-TIFF in their own type, with names of channels and the size of a pixel.

    Parameters
    ----------
    pixels
        Shape C, Y, X, as ``raw_crop`` gives them.
    names
        Of C.
    pixel_um
        Height and width of a pixel in micrometres; ``None`` writes none.
    provenance
        Part of the OME-XML.

    Raises
    ------
    ExportError
        OME-TIFF has no such type: whole numbers of 64 bits.
    """
    import tifffile  # noqa: PLC0415  0.2 s that no other picture should wait for

    if pixels.dtype.kind == "b":
        pixels = pixels.astype(np.uint8)
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize == 8:
        raise ExportError(f"OME-TIFF has no pixels of the type {pixels.dtype}")
    stream = io.BytesIO()
    sizes: dict[str, Any] = (
        {} if pixel_um is None else {"resolution": (1e4 / pixel_um[1], 1e4 / pixel_um[0]), "resolutionunit": 3}
    )
    with tifffile.TiffWriter(stream, ome=True, bigtiff=pixels.nbytes > BIG) as writer:
        writer.write(
            pixels,
            photometric="minisblack",
            metadata=_ome("CYX", pixel_um, names, provenance),
            software=SOFTWARE,
            compression="zlib",
            predictor=pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 4,
            **sizes,
        )
    return stream.getvalue()


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
