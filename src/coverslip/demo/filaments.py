"""Filaments: many random walks at once, and their points drawn into a volume."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coverslip.demo.optics import Volume

type Points = NDArray[Any]
"""Shape ..., 2: y, x in pixels; floating point."""
type Steer = Callable[[Points], Points]
"""Positions N, 2 -> a push N, 2 that bends the next step."""


def walk(
    start: Points,
    heading: NDArray[np.float32],
    steps: int,
    random: np.random.Generator,
    *,
    step: float = 1.0,
    wiggle: float = 0.02,
    steer: Steer | None = None,
) -> Points:
    """Return the paths of stiff filaments, shape steps, N, 2: y, x in pixels.

    Parameters
    ----------
    start
        Shape N, 2.
    heading
        First directions in radians, shape N; 0 is along +x, a quarter turn along +y.
    steps
        Points per path.
    random
        Where chance comes from.
    step
        Pixels between points.
    wiggle
        How much the curvature changes from step to step, in radians.
    steer
        A push away from places a filament avoids.
    """
    paths = np.empty((steps, len(start), 2), np.float32)
    place: Points = start.astype(np.float32)
    angle: Points = heading.astype(np.float32)
    turn: Points = np.zeros_like(angle)
    for i in range(steps):
        paths[i] = place
        turn = 0.9 * turn + wiggle * random.standard_normal(len(angle), dtype=np.float32)
        angle = angle + turn
        ahead = np.stack([np.sin(angle), np.cos(angle)], axis=-1)
        if steer is not None:
            ahead += steer(place)
            ahead /= np.maximum(np.linalg.norm(ahead, axis=-1, keepdims=True), 1e-6)
            angle = np.arctan2(ahead[:, 0], ahead[:, 1]).astype(np.float32)
        place = place + step * ahead
    return paths


def look_up(values: NDArray[Any], points: Points) -> NDArray[Any]:
    """Return the values of a plane at the nearest pixels; points outside get those of the border."""
    y = np.clip(np.rint(points[..., 0]), 0, values.shape[0] - 1).astype(np.intp)
    x = np.clip(np.rint(points[..., 1]), 0, values.shape[1] - 1).astype(np.intp)
    found: NDArray[Any] = values[y, x]
    return found


def splat(volume: Volume, z: NDArray[Any], points: Points, weight: NDArray[Any] | float) -> None:
    """Add points to a volume in place, each shared among the eight voxels around it; points outside are left out.

    Parameters
    ----------
    volume
        Shape Z, Y, X.
    z
        Slices, shape ....
    points
        Shape ..., 2: y, x.
    weight
        Brightness, shape ... or a number.
    """
    strong = np.broadcast_to(weight, z.shape).ravel().astype(np.float32)
    place = np.stack([z.ravel(), points[..., 0].ravel(), points[..., 1].ravel()], axis=-1).astype(np.float32)
    limit = np.array(volume.shape, np.float32) - 1
    seen = (strong > 0) & (place >= 0).all(axis=1) & (place < limit).all(axis=1)
    if not seen.any():
        return
    place, strong = place[seen], strong[seen]
    corner = np.floor(place)
    part = place - corner
    low = corner.min(axis=0).astype(np.intp)
    shape = tuple(corner.max(axis=0).astype(np.intp) - low + 2)
    box = np.zeros(shape, np.float32)
    for shift in np.ndindex(2, 2, 2):
        share = np.where(np.array(shift) == 1, part, 1 - part).prod(axis=1) * strong
        flat = np.ravel_multi_index(tuple((corner.astype(np.intp) - low + shift).T), shape)
        box += np.bincount(flat, share, box.size).reshape(shape)
    volume[tuple(slice(start, start + length) for start, length in zip(low, shape, strict=True))] += box
