"""Channels, annotation, masks and cells become one picture.

The formulas, for a pixel: each channel gives ``n = clip((v - low) / max(high - low, eps), 0, 1)`` in float32 and adds
``n * color``; then the annotation, the masks in their order and the cells are laid over that sum, each by
``(1 - alpha) * below + alpha * color``; the result is clipped to 0 to 1 once and times 255 without what follows the
point. The sum is clipped before anything is laid over it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ExportError, MissingMaskError
from coverslip.model.export import AnnotationLook, ChannelLook, ExportSpec
from coverslip.render.export.cells import CellPaint
from coverslip.render.export.fov import Fov, Pixels
from coverslip.render.export.outlines import inner_boundaries, outlines, scaled_thickness, spread
from coverslip.render.export.regions import Grid
from coverslip.render.export.sampling import sample, sample_labels
from coverslip.render.luts import table

BLOCK_PIXELS = 1 << 16
"""Pixels worked on at a time: three planes of float32 then stay in the processor's cache."""
EPS = np.finfo(np.float32).eps

type Planes = NDArray[np.float32]
"""Red, green and blue apart: shape 3, Y, X; 0 to 1."""
type Rgb = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Tint:
    """One colour laid over some pixels."""

    where: NDArray[np.bool_]
    """Shape Y, X of the picture."""
    color: Rgb
    alpha: float

    def lay(self, planes: Planes, rows: slice) -> None:
        """Lay it over some rows."""
        where = self.where[rows]
        for plane, part in zip(planes, self.color, strict=True):
            if self.alpha >= 1:
                np.copyto(plane, np.float32(part), where=where)
            elif self.alpha > 0:
                plane[where] = (1 - self.alpha) * plane[where] + np.float32(self.alpha * part)


@dataclass(frozen=True, slots=True, eq=False)
class Inks:
    """Many colours laid over all pixels, by number."""

    index: NDArray[Any]
    """Shape Y, X of the picture: row of ``colors``."""
    colors: NDArray[np.float32]
    """Shape N, 3."""
    alphas: NDArray[np.float32]
    """Shape N; 0 leaves the pixel as it is."""

    def lay(self, planes: Planes, rows: slice) -> None:
        """Lay them over some rows."""
        index = self.index[rows]
        rest = np.take(1 - self.alphas, index)
        for plane, part in zip(planes, self.colors.T, strict=True):
            np.multiply(plane, rest, out=plane)
            np.add(plane, np.take(self.alphas * part, index), out=plane)


@dataclass(frozen=True, slots=True, eq=False)
class Dots:
    """Many colours laid over a few pixels."""

    places: NDArray[np.int64]
    """Of the pixels in the picture, row by row, in growing order."""
    index: NDArray[np.int32]
    """Row of ``colors`` for each of them."""
    colors: NDArray[np.float32]
    """Shape N, 3."""
    alphas: NDArray[np.float32]
    """Shape N."""

    def lay(self, planes: Planes, rows: slice) -> None:
        """Lay them over some rows."""
        width = planes.shape[2]
        first, last = np.searchsorted(self.places, [rows.start * width, rows.stop * width])
        places, index = self.places[first:last] - rows.start * width, self.index[first:last]
        alpha = self.alphas[index]
        rest = 1 - alpha
        for plane, part in zip(planes, self.colors.T, strict=True):
            flat = plane.reshape(-1)  # a view: the rows of one plane lie together
            flat[places] = rest * flat[places] + alpha * part[index]


def composite(fov: Fov, spec: ExportSpec, where: Grid, *, label: int | None = None) -> NDArray[np.uint8]:
    """Return the part of a picture that comes from the image: uint8 of shape Y, X, 3.

    Parameters
    ----------
    fov
        Its planes at full resolution.
    spec
        What is shown.
    where
        Which pixels.
    label
        The only object shown, where ``spec.isolate`` names a mask.

    Raises
    ------
    MissingPartError
        It asks for a channel, mask or annotation that is not there.
    ExportError
        A plane is no plane of real numbers, or is of another size.
    """
    channels = [(look, _real(fov.channel(look), fov, look)) for look in spec.markers.channels] if spec.image else []
    layers = list(_layers(fov, spec, where))
    hidden = _hidden(fov, spec, where, label)
    paper = rgb(spec.background)
    height, width = where.shape
    out = np.empty((height, width, 3), np.uint8)
    step = min(height, max(1, BLOCK_PIXELS // width))
    buffer = np.empty((3, step, width), np.float32)
    for first in range(0, height, step):
        rows = slice(first, min(height, first + step))
        planes = buffer[:, : rows.stop - first]
        planes[:] = 0 if spec.image else np.array(paper, np.float32)[:, None, None]
        for look, plane in channels:
            add(planes, look, sample(plane, where, (first, rows.stop), spec.resampling))
        np.minimum(planes, 1, out=planes)
        for layer in layers:
            layer.lay(planes, rows)
        if hidden is not None:
            Tint(hidden, paper, 1).lay(planes, rows)
        np.minimum(planes, 1, out=planes)
        np.multiply(planes, 255, out=planes)
        cv2.merge(list(planes.astype(np.uint8)), out[rows])
    return out


def brightness(look: ChannelLook, pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return how bright a channel is, 0 to 1; what is no number is dark.

    Parameters
    ----------
    look
        Its limits and gamma.
    pixels
        Real pixels of any shape.
    """
    high = look.low + 1 if look.high is None else look.high
    grey = np.empty(pixels.shape, np.float32)
    with np.errstate(all="ignore"):
        np.subtract(pixels, np.float32(look.low), out=grey, dtype=np.float32, casting="unsafe")
        np.divide(grey, np.float32(max(high - look.low, float(EPS))), out=grey)
    np.fmax(grey, 0, out=grey)  # of NaN and 0 it is 0
    np.minimum(grey, 1, out=grey)
    return grey if look.gamma == 1 else np.power(grey, np.float32(look.gamma), out=grey)


def add(planes: Planes, look: ChannelLook, pixels: NDArray[Any]) -> None:
    """Add one channel, Y, X, in its colour."""
    grey = brightness(look, pixels)
    if look.lut is not None:
        shades = table(look.lut)[np.rint(grey * 255).astype(np.uint8)]
        for plane, shade in zip(planes, np.moveaxis(shades, -1, 0), strict=True):
            np.add(plane, shade / np.float32(255), out=plane)
        return
    for plane, part in zip(planes, rgb(look.color), strict=True):
        if part == 1:
            np.add(plane, grey, out=plane)
        elif part:
            np.add(plane, grey * np.float32(part), out=plane)


def rgb(color: str) -> Rgb:
    """Return ``#rrggbb`` as red, green and blue, 0 to 1."""
    red, green, blue = bytes.fromhex(color[1:])
    return red / 255, green / 255, blue / 255


def _layers(fov: Fov, spec: ExportSpec, where: Grid) -> Iterator[Tint | Inks | Dots]:
    """Yield what lies over the channels, the lowest first."""
    if spec.annotation is not None:
        classes = sample_labels(fov.annotation(spec.annotation.annotation), where, spec.resampling)
        yield _annotation(spec.annotation, classes)
    for look in spec.masks:
        labels = sample_labels(fov.mask(look.mask), where, spec.resampling)
        thick = scaled_thickness(look.thickness, where.step)
        yield Tint(outlines(labels, thick) if look.mode == "outline" else labels != 0, rgb(look.color), look.alpha)
    if spec.cells is not None:
        if fov.paint is None:
            raise MissingMaskError(f"field of view {fov.name!r} has no colours for its cells", (spec.cells.mask,))
        labels = sample_labels(fov.mask(fov.paint.mask), where, spec.resampling)
        yield from _cells(fov.paint, labels, scaled_thickness(fov.paint.thickness, where.step))


def _annotation(look: AnnotationLook, classes: NDArray[Any]) -> Inks:
    top = max((one.value for one in look.classes), default=0) + 1
    colors = np.empty((top + 1, 3), np.float32)
    colors[:] = rgb(look.default_color)
    for one in look.classes:
        colors[one.value] = rgb(one.color)
    alphas = np.full(top + 1, look.alpha, np.float32)
    if not look.background:
        alphas[0] = 0
    return Inks(np.clip(classes, 0, top), colors, alphas)


def _cells(paint: CellPaint, labels: NDArray[Any], thickness: int) -> Iterator[Inks | Dots]:
    """Yield fills, then the borders of outlined cells, which spill, then those of filled cells, which do not."""
    index = paint.indices(labels)
    if paint.alpha.any():
        yield Inks(index, paint.fill, paint.alpha)
    if not paint.border_alpha.any():
        return
    edge = inner_boundaries(labels)
    if paint.outlined.any():
        yield _dots(paint, _spilling(paint, index, edge, thickness))
    if not paint.outlined[1:].all():
        yield _dots(paint, _within(paint, labels, index, edge, thickness))


def _dots(paint: CellPaint, borders: NDArray[np.int32]) -> Dots:
    places = np.flatnonzero(borders)
    return Dots(places, borders.ravel()[places], paint.border, paint.border_alpha)


def _spilling(paint: CellPaint, index: NDArray[np.int32], edge: NDArray[np.bool_], thickness: int) -> NDArray[np.int32]:
    """Return the borders of outlined cells as indices; these grow with labels, so that the higher label wins."""
    return spread(np.where(edge & paint.outlined[index], index, np.int32(0)), thickness)


def _within(
    paint: CellPaint, labels: NDArray[Any], index: NDArray[np.int32], edge: NDArray[np.bool_], thickness: int
) -> NDArray[np.int32]:
    """Return the borders of filled cells, grown inside their own cells only, as indices."""
    reached = edge & ~paint.outlined[index]
    down, across = labels[1:] == labels[:-1], labels[:, 1:] == labels[:, :-1]
    for _ in range(thickness - 1):  # step by step: a border reaches a pixel through its own cell or not at all
        grown = reached.copy()
        grown[1:] |= reached[:-1] & down
        grown[:-1] |= reached[1:] & down
        grown[:, 1:] |= reached[:, :-1] & across
        grown[:, :-1] |= reached[:, 1:] & across
        reached = grown
    return np.where(reached, index, np.int32(0))


def _hidden(fov: Fov, spec: ExportSpec, where: Grid, label: int | None) -> NDArray[np.bool_] | None:
    if spec.isolate is None or label is None:
        return None
    hidden: NDArray[np.bool_] = sample_labels(fov.mask(spec.isolate), where, spec.resampling) != label
    return hidden


def _real(plane: Pixels, fov: Fov, look: ChannelLook) -> Pixels:
    if np.dtype(plane.dtype).kind not in "biuf":
        raise ExportError(f"{fov.name}: channel {look.channel!r} is {plane.dtype}, not real numbers")
    return plane
