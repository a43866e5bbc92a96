"""Small fields of view with noise, touching cells and classes."""

from typing import Any

import numpy as np

from coverslip.model.export import ChannelLook, MarkerSet
from coverslip.render.export import Fov

Array = np.ndarray[Any, Any]
COLORS = {"DAPI": "#0000ff", "CD45": "#00ff00", "CD3": "#ffa500", "PanCK": "#a52a2a"}
LIMITS = {"DAPI": (60.0, 900.0), "CD45": (0.0, 300.0), "CD3": (10.5, 444.4), "PanCK": (100.0, 100.0)}
IMMUNE = MarkerSet(
    name="Immune",
    channels=tuple(
        ChannelLook(channel=name, color=color, low=LIMITS[name][0], high=LIMITS[name][1])
        for name, color in COLORS.items()
    ),
)


def labels_of(height: int, width: int, seed: int = 0, count: int = 40) -> Array:
    """Return touching cells with gaps, their numbers not in the order of their places."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    centers = random.uniform(0, 1, (count, 2)) * (height, width)
    away = np.hypot(y[..., None] - centers[:, 0], x[..., None] - centers[:, 1])
    numbers = random.permutation(3 * count)[:count] + 1
    return np.where(away.min(axis=-1) < 0.13 * max(height, width), numbers[away.argmin(axis=-1)], 0).astype(np.int32)


def fov_of(height: int = 57, width: int = 83, dtype: str = "uint16", seed: int = 0, **more: Any) -> Fov:
    """Return a field of view with four channels, a mask ``whole_cell`` and an annotation ``region``."""
    random = np.random.default_rng(seed)
    channels = {name: random.gamma(2, 150, (height, width)) for name in COLORS}
    largest = 255 if dtype == "uint8" else 60_000
    planes = {name: np.minimum(plane, largest).astype(dtype) for name, plane in channels.items()}
    regions = random.integers(0, 5, (height, width)).astype(np.uint8)
    return Fov("FOV1", planes, {"whole_cell": labels_of(height, width, seed)}, {"region": regions}, **more)


def rgb_of(color: str) -> tuple[float, float, float]:
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return red, green, blue
