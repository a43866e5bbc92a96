"""Outlines of the objects of a label image."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
EXACT_FLOAT = 1 << 24


def scaled_thickness(thickness: float, step: int) -> int:
    """Return how thick an outline is in a picture, in its pixels: at least 1, halves rounded up.

    Parameters
    ----------
    thickness
        In pixels at full resolution.
    step
        How many of these are one pixel of the picture.
    """
    return max(1, math.floor(max(1.0, thickness / step) + 0.5))


def inner_boundaries(labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Return the pixels of objects that have a neighbour with another number, 0 included.

    Neighbours are the four beside, above and below. The edge of the array is no boundary: an object that is cut by it
    stays open there.

    Parameters
    ----------
    labels
        Shape Y, X; 0 is background.
    """
    differs = np.zeros(labels.shape, np.bool_)
    down = labels[1:] != labels[:-1]
    across = labels[:, 1:] != labels[:, :-1]
    differs[1:] |= down
    differs[:-1] |= down
    differs[:, 1:] |= across
    differs[:, :-1] |= across
    differs &= labels != 0
    return differs


def thickened(mask: NDArray[np.bool_], thickness: int) -> NDArray[np.bool_]:
    """Return a mask grown by ``thickness - 1`` pixels to its four sides, again and again; also along the edges."""
    if thickness <= 1:
        return mask
    grown = cv2.dilate(mask.view(np.uint8), CROSS, iterations=thickness - 1, borderType=cv2.BORDER_CONSTANT)
    return grown.view(np.bool_)


def outlines(labels: NDArray[Any], thickness: int) -> NDArray[np.bool_]:
    """Return where the outlines of objects are: their inner boundaries, grown into both directions.

    Parameters
    ----------
    labels
        Shape Y, X, as the picture has them.
    thickness
        In pixels of the picture.
    """
    return thickened(inner_boundaries(labels), thickness)


def spread(values: NDArray[np.int32], thickness: int) -> NDArray[np.int32]:
    """Return numbers (0: none) grown by ``thickness - 1`` pixels; where two meet, the higher one stays."""
    if thickness <= 1:
        return values
    kind: Any = np.float32 if int(values.max(initial=0)) < EXACT_FLOAT else np.float64
    grown = cv2.dilate(values.astype(kind), CROSS, iterations=thickness - 1, borderType=cv2.BORDER_CONSTANT)
    return grown.astype(np.int32)
