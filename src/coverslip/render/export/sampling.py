"""Pixels of the image become pixels of the picture: every n-th one, or the mean of n by n."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.model.export import Resampling
from coverslip.render.export.fov import Pixels, taken
from coverslip.render.export.regions import Grid
from coverslip.render.resample import working_type


def sample(plane: Pixels, where: Grid, rows: tuple[int, int], resampling: Resampling) -> NDArray[Any]:
    """Return some rows of a channel as the picture has them: Y, X.

    Parameters
    ----------
    plane
        At full resolution.
    where
        Which pixels.
    rows
        First and past the last row of ``where.shape``.
    resampling
        ``nearest`` keeps the type; means are float32, or float64 for types of more than 24 bits. NaN is left out of a
        mean. A mean at an edge of the image is of the pixels there are.
    """
    if where.step == 1 or resampling == "nearest":
        return _nearest(plane, where, rows)
    edges_y = _edges(where.start[0], where.inside.y0, where.inside.y1, where.step, rows)
    edges_x = _edges(where.start[1], where.inside.x0, where.inside.x1, where.step, (0, where.shape[1]))
    part = taken(plane, slice(edges_y[0], edges_y[-1]), slice(edges_x[0], edges_x[-1]))
    values = part.astype(np.float64 if part.dtype.kind in "iu" else working_type(part.dtype), copy=False)
    if part.dtype.kind != "f" or not (gaps := np.isnan(values)).any():
        means: NDArray[Any] = _sums(values, edges_y, edges_x) / _areas(edges_y, edges_x)
        return means.astype(working_type(part.dtype), copy=False)
    known = _sums((~gaps).astype(values.dtype), edges_y, edges_x)
    sums = _sums(np.where(gaps, 0, values), edges_y, edges_x)
    averaged: NDArray[Any] = np.divide(sums, known, out=np.full_like(sums, np.nan), where=known > 0)
    return averaged


def sample_labels(plane: Pixels, where: Grid, resampling: Resampling) -> NDArray[Any]:
    """Return a mask or annotation as the picture has it, Y, X, in its own type.

    A label is taken from the very pixel that the picture shows, or, where the picture shows means, from the middle of
    their area: picture and labels are in register for every corner of the window.
    """
    if where.step == 1 or resampling == "nearest":
        return _nearest(plane, where, (0, where.shape[0]))
    inside = where.inside
    part = taken(plane, slice(inside.y0, inside.y1), slice(inside.x0, inside.x1))
    middle = where.step // 2
    at_y = where.start[0] + middle + where.step * np.arange(where.shape[0]) - inside.y0
    at_x = where.start[1] + middle + where.step * np.arange(where.shape[1]) - inside.x0
    labels: NDArray[Any] = part[np.clip(at_y, 0, len(part) - 1)[:, None], np.clip(at_x, 0, part.shape[1] - 1)]
    return labels


def _nearest(plane: Pixels, where: Grid, rows: tuple[int, int]) -> NDArray[Any]:
    """Return every n-th pixel; a cell of the grid that begins before the image shows its first pixel inside."""
    if where.step == 1:
        first = where.start[0]
        return taken(plane, slice(first + rows[0], first + rows[1]), slice(where.inside.x0, where.inside.x1))
    at_y = _places(where.start[0], where.inside.y0, where.step, rows)
    at_x = _places(where.start[1], where.inside.x0, where.step, (0, where.shape[1]))
    if where.start == (where.inside.y0, where.inside.x0):
        return taken(plane, slice(at_y[0], at_y[-1] + 1, where.step), slice(at_x[0], at_x[-1] + 1, where.step))
    part = taken(plane, slice(at_y[0], at_y[-1] + 1), slice(at_x[0], at_x[-1] + 1))
    picked: NDArray[Any] = part[np.subtract(at_y, at_y[0])[:, None], np.subtract(at_x, at_x[0])]
    return picked


def _places(start: int, first: int, step: int, span: tuple[int, int]) -> list[int]:
    return [max(first, start + step * k) for k in range(*span)]


def _edges(start: int, first: int, last: int, step: int, span: tuple[int, int]) -> list[int]:
    return [min(last, max(first, start + step * k)) for k in range(span[0], span[1] + 1)]


def _sums(values: NDArray[Any], edges_y: list[int], edges_x: list[int]) -> NDArray[Any]:
    down: NDArray[Any] = np.add.reduceat(values, np.subtract(edges_y[:-1], edges_y[0]), axis=0)
    across: NDArray[Any] = np.add.reduceat(down, np.subtract(edges_x[:-1], edges_x[0]), axis=1)
    return across


def _areas(edges_y: list[int], edges_x: list[int]) -> NDArray[np.int64]:
    areas: NDArray[np.int64] = np.outer(np.diff(edges_y), np.diff(edges_x))
    return areas
