"""What each object of a label image takes up."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

ROWS = 512
"""Rows that are looked at at a time: a mask of a whole slide is not held thrice."""


def boxes(mask: Any) -> dict[int, tuple[int, int, int, int]]:
    """Return the smallest half-open rectangle x0, y0, x1, y1 around each object, by its number.

    Parameters
    ----------
    mask
        Shape Y, X; whole numbers, 0 is background. Anything that gives arrays for pairs of slices.
    """
    found: dict[int, tuple[int, int, int, int]] = {}
    height, width = mask.shape
    for first in range(0, height, ROWS):
        part = np.asarray(mask[first : first + ROWS, 0:width])
        for label, x0, y0, x1, y1 in _boxes_of_part(part):
            here = (x0, y0 + first, x1, y1 + first)
            before = found.get(label, here)
            found[label] = (
                *(min(one, other) for one, other in zip(before[:2], here[:2], strict=True)),
                *(max(one, other) for one, other in zip(before[2:], here[2:], strict=True)),
            )
    return found


def _boxes_of_part(part: NDArray[Any]) -> list[tuple[int, int, int, int, int]]:
    ys, xs = np.nonzero(part > 0)
    if not len(ys):
        return []
    labels, index = np.unique(part[ys, xs], return_inverse=True)
    edges = np.empty((len(labels), 4), np.int64)
    edges[:, :2], edges[:, 2:] = np.iinfo(np.int64).max, -1
    for column, values, fold in ((0, xs, np.minimum), (1, ys, np.minimum), (2, xs, np.maximum), (3, ys, np.maximum)):
        fold.at(edges[:, column], index, values)
    edges[:, 2:] += 1
    return [(label, *box) for label, box in zip(labels.tolist(), map(tuple, edges.tolist()), strict=True)]
