"""Figures between their drawing and their page: a piece of bytes that any process writes and one reads.

The first line is the magic word, the second JSON with the size of what follows; then come the pixels of the figure and
of its rasters, compressed together. Nothing in it is executed, and what is not whole is refused.
"""

import json
import zlib
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ReadError
from coverslip.render.export.figure import Figure, Mark, Path, Raster, Rect, Text
from coverslip.render.export.regions import Window
from coverslip.render.scale_bar import Bar

MAGIC = b"coverslip figure 1\n"
LEVEL = 1
"""Of zlib: it is read once, by this machine or the next."""
MAX_PIXELS = 1 << 30
KINDS: dict[str, type[Rect | Text | Path]] = {"rect": Rect, "text": Text, "path": Path}


def stored(figure: Figure, caption: str = "") -> bytes:
    """Return a figure with its caption as bytes, always the same ones."""
    rasters: list[NDArray[np.uint8]] = [figure.pixels]
    marks: list[Any] = []
    for mark in figure.marks:
        if isinstance(mark, Raster):
            marks.append(["raster", {"x": mark.x, "y": mark.y, "place": len(rasters)}])
            rasters.append(mark.pixels)
        else:
            marks.append([next(name for name, kind in KINDS.items() if isinstance(mark, kind)), asdict(mark)])
    head = {
        "shapes": [one.shape for one in rasters],
        "caption": caption,
        "marks": marks,
        "bar": None if figure.bar is None else asdict(figure.bar),
        "window": figure.window,
        **{name: getattr(figure, name) for name in ("width", "height", "at", "paper", "pixel_um", "dpi", "notes")},
    }
    data = b"".join(np.ascontiguousarray(one).tobytes() for one in rasters)
    line = json.dumps(head, ensure_ascii=True).encode()
    return b"".join((MAGIC, line, b"\n", zlib.compress(data, LEVEL)))


def restored(data: bytes) -> tuple[Figure, str]:
    """Return what ``stored`` was given.

    Raises
    ------
    ReadError
        These are other bytes, or not all of them.
    """
    try:
        if not data.startswith(MAGIC):
            raise ValueError("another kind of file")
        end = data.index(b"\n", len(MAGIC))
        head = json.loads(data[len(MAGIC) : end])
        shapes = [tuple(map(int, shape)) for shape in head["shapes"]]
        sizes = [height * width * 3 for height, width, _ in shapes]
        if min(sizes) <= 0 or sum(sizes) > 3 * MAX_PIXELS:
            raise ValueError("a size that no figure has")
        unpacking = zlib.decompressobj()
        raw = unpacking.decompress(data[end + 1 :], sum(sizes))
        if len(raw) != sum(sizes) or not unpacking.eof:
            raise ValueError("pixels are missing")
        rasters, start = [], 0
        for shape, size in zip(shapes, sizes, strict=True):
            rasters.append(np.frombuffer(raw, np.uint8, size, start).reshape(shape))
            start += size
        marks = tuple(_mark(name, values, rasters) for name, values in head["marks"])
        window = None if head["window"] is None else Window(*head["window"])
        pixel_um = None if head["pixel_um"] is None else (head["pixel_um"][0], head["pixel_um"][1])
        figure = Figure(
            pixels=rasters[0],
            width=head["width"],
            height=head["height"],
            at=(head["at"][0], head["at"][1]),
            paper=head["paper"],
            marks=marks,
            bar=None if head["bar"] is None else Bar(**head["bar"]),
            pixel_um=pixel_um,
            window=window,
            dpi=head["dpi"],
            notes=tuple(head["notes"]),
        )
        return figure, str(head["caption"])
    except (ValueError, KeyError, TypeError, IndexError, zlib.error, RecursionError) as error:
        raise ReadError(f"this is no whole figure: {error!r}") from error


def _mark(name: str, values: dict[str, Any], rasters: list[NDArray[np.uint8]]) -> Mark:
    if name == "raster":
        return Raster(values["x"], values["y"], rasters[values["place"]])
    if name == "path":
        values = {**values, "points": tuple((x, y) for x, y in values["points"])}
    return KINDS[name](**values)
