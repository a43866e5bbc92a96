"""The recorded formulas in the plainest NumPy and Python: slow, pixel by pixel where that is clearer."""

import math
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
EPS = float(np.finfo(np.float32).eps)


def composite(planes: list[Array], looks: list[tuple[tuple[float, float, float], float, float]], ds: int) -> Array:
    """Return float32 Y, X, 3 of planes that are cut to the region already."""
    total = None
    for plane, (color, low, high) in zip(planes, looks, strict=True):
        value = plane[::ds, ::ds].astype(np.float32)
        grey = np.clip((value - np.float32(low)) / np.float32(max(high - low, EPS)), 0, 1)
        tinted = grey[..., None] * np.array(color, np.float32)
        total = tinted if total is None else total + tinted
    assert total is not None
    clipped: Array = np.clip(total, 0, 1)
    return clipped


def annotate(rgb: Array, classes: Array, colormap: Array, alpha: float) -> Array:
    color = colormap[np.clip(classes, 0, len(colormap) - 1)].astype(np.float32)
    return (1 - np.float32(alpha)) * rgb + np.float32(alpha) * color


def boundary(labels: Array) -> Array:
    """Return labelled pixels with a 4-neighbour in the array that has another label."""
    height, width = labels.shape
    found = np.zeros(labels.shape, bool)
    for y in range(height):
        for x in range(width):
            for dy, dx in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                v, u = y + dy, x + dx
                if labels[y, x] and 0 <= v < height and 0 <= u < width and labels[v, u] != labels[y, x]:
                    found[y, x] = True
    return found


def dilate(mask: Array) -> Array:
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown


def thickness(full: float, ds: int) -> int:
    return max(1, math.floor(max(1, full / ds) + 0.5))


def outline(labels: Array, full: float, ds: int) -> Array:
    mask = boundary(labels)
    for _ in range(thickness(full, ds) - 1):
        mask = dilate(mask)
    return mask


def blend(rgb: Array, mask: Array, color: tuple[float, float, float], alpha: float) -> Array:
    out = rgb.copy()
    paint = np.array(color, np.float32)
    out[mask] = paint if alpha >= 1 else np.float32(1 - alpha) * rgb[mask] + np.float32(alpha) * paint
    return out


def cells(
    rgb: Array,
    labels: Array,
    looks: dict[int, tuple[tuple[float, float, float], float, bool]],
    full: float,
    ds: int,
    border_alpha: float,
) -> Array:
    """Fill cells, then draw the borders of outlined cells, then those of filled cells.

    ``looks``: label -> (colour, opacity of the fill, whether it is outlined instead).
    """
    out = rgb.copy()
    for label, (color, alpha, outlined) in looks.items():
        if not outlined:
            inside = labels == label
            out[inside] = np.float32(1 - np.float32(alpha)) * out[inside] + np.float32(alpha) * np.array(
                color, np.float32
            )
    edges = boundary(labels)
    steps = thickness(full, ds) - 1
    winner = np.zeros(labels.shape, int)
    for label in sorted(looks):
        if looks[label][2]:
            border = edges & (labels == label)
            for _ in range(steps):
                border = dilate(border)
            winner[border] = label
    for label in set(winner[winner > 0].tolist()):
        out = blend(out, winner == label, looks[label][0], border_alpha)
    for label, (color, _, outlined) in looks.items():
        if not outlined:
            own = labels == label
            border = edges & own
            for _ in range(steps):
                border = dilate(border) & own
            out = blend(out, border, color, border_alpha)
    return out


def to_uint8(rgb: Array) -> Array:
    return (np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def crop_bounds(center: tuple[float, float], size: int, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return xmin, xmax, ymin, ymax within the image."""
    half = max(1, size // 2)
    x, y = round(center[0]), round(center[1])
    height, width = shape
    return max(0, x - half), min(width, x + half), max(0, y - half), min(height, y + half)
