"""How tissue is laid out: cells that keep their distance, fibres along a direction, nuclei drawn by the thousand."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from coverslip.demo.optics import Plane


@dataclass(frozen=True, slots=True)
class Oval:
    """An ellipse: centre y, x and half axes in pixels, direction of the long axis in radians."""

    y: float
    x: float
    long: float
    short: float
    angle: float


def scatter(spacing: Plane, tries: int, random: np.random.Generator, taken: NDArray[Any] | None = None) -> Plane:
    """Return points (N, 2: y, x) that keep the distance the plane asks for where they lie; none where it is 0.

    Parameters
    ----------
    spacing
        Smallest distance to the next point, in pixels.
    tries
        How many places are tried.
    random
        Where chance comes from.
    taken
        Pixels that are no longer free (not 0); marked in place.
    """
    size = spacing.shape
    taken = np.zeros(size, np.uint8) if taken is None else taken
    places = random.uniform(0, 1, (tries, 2)) * (np.array(size) - 1)
    wanted = spacing[places[:, 0].astype(int), places[:, 1].astype(int)]
    kept = []
    for (y, x), gap in zip(places[wanted > 0].tolist(), wanted[wanted > 0].tolist(), strict=True):
        if not taken[int(y), int(x)]:
            cv2.circle(taken, (int(x), int(y)), int(gap), 1, cv2.FILLED)
            kept.append((y, x))
    return np.array(kept, np.float32).reshape(-1, 2)


def fill(plane: NDArray[Any], ovals: Iterable[Oval], values: Iterable[float], *, smooth: bool = False) -> None:
    """Draw ellipses in place, to a sixteenth of a pixel; later ones lie on top.

    Parameters
    ----------
    plane
        uint8, or int32 or float32 without smoothing.
    ovals, values
        What to draw and with which value.
    smooth
        Soften the outlines; for uint8 only.
    """
    for oval, value in zip(ovals, values, strict=True):
        cv2.ellipse(
            plane,
            (round(oval.x * 16), round(oval.y * 16)),
            (max(1, round(oval.long * 16)), max(1, round(oval.short * 16))),
            float(np.degrees(oval.angle)),
            0,
            360,
            value,
            cv2.FILLED,
            cv2.LINE_AA if smooth else cv2.LINE_8,
            4,
        )


def streaks(grain: Plane, angle: Plane, length: int, step: float = 1.5) -> Plane:
    """Return the grain smeared along a direction field: fibres. Mean 0, standard deviation 1.

    Parameters
    ----------
    grain
        Noise, Y, X.
    angle
        Direction at every pixel in radians.
    length
        Steps to either side.
    step
        Pixels per step.
    """
    rows, columns = np.mgrid[0 : grain.shape[0], 0 : grain.shape[1]].astype(np.float32)
    total = grain.copy()
    dy, dx = np.sin(angle).astype(np.float32) * step, np.cos(angle).astype(np.float32) * step
    for direction in (-1.0, 1.0):
        y, x = rows, columns
        for _ in range(length):
            push_y = cv2.remap(dy, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            push_x = cv2.remap(dx, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
            y, x = y + np.float32(direction) * push_y, x + np.float32(direction) * push_x
            total += cv2.remap(grain, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    total -= total.mean()
    total /= total.std()
    return total


def nearest_label(labels: NDArray[np.int32]) -> tuple[NDArray[np.int32], Plane]:
    """Return for every pixel the label of the nearest labelled pixel, and how far that is.

    Parameters
    ----------
    labels
        0 is background; at least one pixel is labelled.
    """
    background = (labels == 0).astype(np.uint8)
    distance, index = cv2.distanceTransformWithLabels(background, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    names = np.zeros(int(index.max()) + 1, np.int32)
    seeds = background == 0
    names[index[seeds]] = labels[seeds]
    return names[index], distance


def depth(labels: NDArray[np.int32]) -> Plane:
    """Return how far inside its own label every pixel lies, in pixels; 0 on the background and at borders."""
    inner = np.ones(labels.shape, np.uint8)
    for axis in (0, 1):
        differs = np.diff(labels, axis=axis) != 0
        inner[: -1 if axis == 0 else None, : -1 if axis == 1 else None][differs] = 0
        inner[1 if axis == 0 else 0 :, 1 if axis == 1 else 0 :][differs] = 0
    inner[labels == 0] = 0
    inside: Plane = cv2.distanceTransform(inner, cv2.DIST_L2, 5)
    return inside
