"""Key photos: the middle of a tomogram with what is marked in it. Arrays -> arrays; only the pixels are read.

Sizes and the slab are those of the CryoET Data Portal: the middle 40 slices, a picture of the whole plane, and smaller
ones cut to 4:3.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.model import CanRead, ImageMetadata, Region
from coverslip.render.project import measured, reducer
from coverslip.render.resample import Shrinker, fit

SLICES = 40
"""Slices of a slab."""
LARGEST = 4096
"""Pixels of a photo's longer side, at most."""
AT_ONCE = 1 << 25
"""Voxels held in memory at a time."""
DEVIATIONS = 3.0
POINT_PART, LEAST_POINT = 1 / 150, 2.5
"""Radius of a point: this part of the photo's longer side, and at least so many pixels."""
EDGE_PART, LEAST_EDGE = 0.25, 1.0
"""Width of its white edge: this part of its radius, and at least so many pixels."""
MASK_ALPHA = 0.3
WHITE = (255, 255, 255)

Rgb = tuple[int, int, int]
Picture = NDArray[np.uint8]
"""Shape Y, X, 3: red, green, blue."""
Limits = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Slab:
    """What a photo of the middle of a tomogram shows."""

    size: tuple[int, int]
    """Rows and columns of the photo."""
    span: tuple[int, int]
    """The slices it is of, half-open, counted at full resolution."""
    scale: float
    """Pixels of the photo for each pixel at full resolution; 1 or less."""


def slab_of(meta: ImageMetadata, picture: Picture) -> Slab:
    """Return what the photo of an image shows."""
    rows, columns = picture.shape[:2]
    return Slab((rows, columns), middle(meta.size_z), columns / meta.size_x)


def middle(depth: int, thickness: int = SLICES) -> tuple[int, int]:
    """Return the middle slices, half-open; all of them where there are fewer."""
    first = max(0, depth // 2 - thickness // 2)
    return first, min(depth, first + thickness)


def project(image: CanRead, *, largest: int = LARGEST) -> NDArray[Any]:
    """Return the middle of an image: first time point and channel. Only these slices are read, in bands of rows.

    It is the mean along z, shape Y, X; NaN where nothing was measured.

    Parameters
    ----------
    image
        Anything that can be read. Of a pyramid the finest level that fits is taken.
    largest
        Pixels of the longer side, at most; larger ones are area-averaged.

    Raises
    ------
    ReadError
        The file does not give the pixels.
    """
    meta = image.metadata
    shapes = [meta.level_shape(level)[2:5] for level in range(len(meta.levels))]
    level = next((n for n, (_, y, x) in enumerate(shapes) if max(y, x) <= largest), len(shapes) - 1)
    depth, rows, columns = shapes[level]
    first, last = middle(meta.size_z)
    span = first * depth // meta.size_z, max(-(-last * depth // meta.size_z), first * depth // meta.size_z + 1)
    width, height = fit(columns, rows, largest, largest)
    shrinker = Shrinker((rows, columns), (height, width))
    step = _rows_at_once(image, level, columns * (span[1] - span[0]))
    for row in range(0, rows, step):
        box = Region((0, 1), (0, 1), span, (row, min(rows, row + step)), (0, columns))
        block = image.read(level, box)
        mean = reducer("mean")
        mean.add(measured((block if block.ndim == 5 else block[..., 0])[0, 0]), 0)
        shrinker.add(mean.result())
    return shrinker.result()


def _rows_at_once(image: CanRead, level: int, voxels: int) -> int:
    """Return how many rows to read at a time: whole chunks, where several fit."""
    chunk = getattr(image, "chunk", None)
    rows = max(1, AT_ONCE // voxels)
    tall = int(chunk(level)[3]) if chunk is not None else 1
    return rows // tall * tall if rows >= tall > 0 else rows


def grey(pixels: NDArray[Any], limits: Limits) -> Picture:
    """Return a projection in grey: three deviations around its mean, but no more than some limits.

    A mean of many slices is flatter than any of them. What was not measured is black.

    Parameters
    ----------
    pixels
        Shape Y, X.
    limits
        What single slices are shown with.
    """
    known = pixels[np.isfinite(pixels)].astype(np.float64)
    low, high = limits
    if known.size:
        mean, around = float(known.mean()), DEVIATIONS * float(known.std())
        narrow = max(low, mean - around), min(high, mean + around)
        low, high = narrow if narrow[0] < narrow[1] else (low, high)
    spread = high - low if high > low else 1.0
    values = np.nan_to_num((pixels.astype(np.float64) - low) * (255.0 / spread), nan=0.0)
    flat = np.rint(values.clip(0, 255)).astype(np.uint8)
    return np.repeat(flat[..., None], 3, axis=2)


def paint_mask(picture: Picture, labels: NDArray[Any], colors: Sequence[Rgb], alpha: float = MASK_ALPHA) -> None:
    """Lay a mask over a picture, in place.

    Parameters
    ----------
    picture
        Is changed.
    labels
        Shape Y, X, whole numbers: 0 where nothing is, otherwise 1 and more.
    colors
        Of label 1, 2 ...
    alpha
        How much of the colour is seen.
    """
    there = (labels > 0) & (labels <= len(colors))
    if not there.any():
        return
    chosen = np.array(colors, np.float64)[labels[there].astype(np.int64) - 1]
    picture[there] = np.rint(picture[there] * (1 - alpha) + chosen * alpha).astype(np.uint8)


def paint_points(picture: Picture, places: NDArray[np.float64], colors: NDArray[np.uint8], radius: float) -> None:
    """Draw filled circles with a white edge, in place: those of one layer together, so that edges never hide fillings.

    Parameters
    ----------
    picture
        Is changed.
    places
        Shape (n, 2): x, y of the centres in pixels; 0, 0 is the centre of the first pixel. Whole pixels are used.
    colors
        Shape (n, 3), or (1, 3) for all: red, green, blue.
    radius
        Of the filling, in pixels; the edge lies around it.
    """
    height, width = picture.shape[:2]
    reach = radius + edge_of(radius) + 1
    pad = math.ceil(reach)
    inside = ((places > -reach) & (places < np.array([width, height]) - 1 + reach)).all(axis=1)
    if not inside.any():
        return
    spots = np.rint(places[inside]).astype(np.int64) + pad
    away = np.ones((height + 2 * pad, width + 2 * pad), np.uint8)
    spots = spots.clip(0, np.array([width, height]) + 2 * pad - 1)
    away[spots[:, 1], spots[:, 0]] = 0
    if len(colors) == 1:
        distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        shade: NDArray[Any] = colors[0].astype(np.float64)
    else:
        distance, nearest = cv2.distanceTransformWithLabels(away, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
        table = np.zeros((int(nearest.max()) + 1, 3))
        table[nearest[spots[:, 1], spots[:, 0]]] = colors[inside]
        shade = table[nearest][pad : pad + height, pad : pad + width]
    distance = distance[pad : pad + height, pad : pad + width]
    _blend(picture, np.array(WHITE, np.float64), radius + edge_of(radius) + 0.5 - distance)
    _blend(picture, shade, radius + 0.5 - distance)


def edge_of(radius: float) -> float:
    """Return the width of the edge of a point."""
    return max(LEAST_EDGE, EDGE_PART * radius)


def radius_of(size: tuple[int, int]) -> float:
    """Return the radius of points in a picture of so many rows and columns."""
    return max(LEAST_POINT, POINT_PART * max(size))


def _blend(picture: Picture, shade: NDArray[Any], cover: NDArray[Any]) -> None:
    """Lay a colour, or one for each pixel, over the pixels that it covers; parts of pixels count as parts."""
    there = cover > 0
    part = np.minimum(cover[there], 1.0)[:, None]
    color = shade if shade.ndim == 1 else shade[there]
    picture[there] = np.rint(picture[there] * (1 - part) + color * part).astype(np.uint8)


def cut_to_ratio(picture: Picture) -> Picture:
    """Return the middle of a picture that is 4 wide and 3 high; one that is higher than wide is turned to the left."""
    turned = np.rot90(picture) if picture.shape[0] > picture.shape[1] else picture
    height, width = turned.shape[:2]
    wide, high = (width, max(1, width * 3 // 4)) if 3 * width < 4 * height else (max(1, height * 4 // 3), height)
    left, top = (width - wide) // 2, (height - high) // 2
    return np.ascontiguousarray(turned[top : top + high, left : left + wide])


def of_width(picture: Picture, width: int) -> Picture:
    """Return a picture of 4:3 in another size: area-averaged to be smaller, interpolated to be larger."""
    is_smaller = width <= picture.shape[1]
    how = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    found: Picture = cv2.resize(picture, (width, max(1, width * 3 // 4)), interpolation=how).astype(
        np.uint8, copy=False
    )
    return found
