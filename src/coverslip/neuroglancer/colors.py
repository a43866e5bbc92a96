"""Colours of layers and instances: the same for the same thing in every state, and apart from each other.

Distances are in OKLab (https://bottosson.github.io/posts/oklab/), where equal ones look about equal. Whole numbers are
compared, so that every machine comes to the same colours.
"""

import colorsys
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

PALETTE = 256
"""Colours that layers have; more layers than that begin again."""
STEPS = 12
"""Steps of red, green and blue among which the palette is chosen."""
LIGHTNESS = (500, 930)
"""Thousandths of OKLab's L: visible on black, not taken for white."""
LEAST_SATURATION, LEAST_VALUE = 0.4, 0.25
"""What a colour has more of (HSV); in the CryoET Data Portal it is 0.15 and 0.25."""
CLOSE = 0.36
"""How much of the separation that so many colours could have is asked for, squared: 0.6 of the distance."""
GOLDEN, PLASTIC, PLASTIC_2 = 2654435769, 3242174889, 2447445414
"""2**32 over the golden ratio, over the plastic number and over its square: steps that spread evenly."""


@dataclass(frozen=True, slots=True)
class ColorSeed:
    """What the colour of an annotation follows from, as in the CryoET Data Portal."""

    method: str = ""
    object_id: str = ""
    object_name: str = ""
    deposition: str = ""
    ground_truth: bool = False
    shape: str = ""

    @property
    def number(self) -> int:
        """64 bits that follow from it."""
        written = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hash_of(written)


def hash_of(text: str) -> int:
    """Return 64 bits that follow from a text, the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def layer_colors(seeds: Sequence[int]) -> list[str]:
    """Return ``#rrggbb`` of each layer; it follows from its seed and from the layers before it, never from later ones.

    A layer takes the first colour, in an order that its seed alone gives, that is far enough from all taken ones. How
    far follows from how many are taken, so the first ones are apart, and 256 different ones are there in the end. After
    256 layers all colours are free again.

    Parameters
    ----------
    seeds
        Oldest first: that order is what keeps colours when something is added.
    """
    lab, reach, names = _palette()
    count = len(names)
    taken = 0
    nearest = np.full(count, np.iinfo(np.int64).max)
    found = []
    for seed in seeds:
        if taken == count:
            taken = 0
            nearest[:] = np.iinfo(np.int64).max
        order = (seed % count + np.arange(count, dtype=np.int64) * _stride(seed, count)) % count
        enough = nearest[order] >= max(1, int(CLOSE * reach[taken]))
        chosen = int(order[int(np.argmax(enough))]) if enough.any() else int(np.argmax(nearest))
        np.minimum(nearest, ((lab - lab[chosen]) ** 2).sum(axis=1), out=nearest)
        found.append(names[chosen])
        taken += 1
    return found


def _stride(seed: int, count: int) -> int:
    """Return a step that visits every colour of a power of two: an odd one."""
    return ((seed >> 32) % count) | 1


def instance_color(seed: int, label: int) -> str:
    """Return ``#rrggbb`` of one instance; it follows from the two numbers. Neighbouring labels are far apart."""
    hue = (seed + label * GOLDEN) % 2**32 / 2**32
    saturation = 0.4 + 0.45 * (((seed >> 16) + label * PLASTIC) % 2**32 / 2**32)
    value = 0.75 + 0.25 * (((seed >> 24) + label * PLASTIC_2) % 2**32 / 2**32)
    return _hex(colorsys.hsv_to_rgb(hue, saturation, value))


def viewer_seed(seed: int) -> int:
    """Return the seed that Neuroglancer itself colours segments by: 32 bits."""
    return seed % 2**32


def _hex(rgb: Sequence[float]) -> str:
    return "#" + "".join(f"{round(part * 255):02x}" for part in rgb)


@cache
def _palette() -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[str, ...]]:
    """Return OKLab of all colours in thousandths (shape (256, 3)), how far apart so many are, squared, and their names.

    Each is the farthest from those before it among a grid of colours that are neither grey nor dark.
    """
    grid = np.linspace(0.0, 1.0, STEPS)
    rgb = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), axis=-1).reshape(-1, 3)
    value = rgb.max(axis=1)
    saturation = np.divide(value - rgb.min(axis=1), value, out=np.zeros_like(value), where=value > 0)
    lab = oklab(rgb)
    fits = (value > LEAST_VALUE) & (saturation > LEAST_SATURATION)
    fits &= (lab[:, 0] >= LIGHTNESS[0]) & (lab[:, 0] <= LIGHTNESS[1])
    rgb, lab = rgb[fits], lab[fits]
    nearest = np.full(len(lab), np.iinfo(np.int64).max)
    chosen, reach = [0], [0]
    while len(chosen) < PALETTE:
        np.minimum(nearest, ((lab - lab[chosen[-1]]) ** 2).sum(axis=1), out=nearest)
        chosen.append(int(np.argmax(nearest)))
        reach.append(int(nearest[chosen[-1]]))
    return lab[chosen], np.array(reach), tuple(_hex(rgb[one]) for one in chosen)


def oklab(rgb: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return L, a, b in thousandths of sRGB colours from 0 to 1; shapes (n, 3)."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = linear @ np.array(
        [
            [0.4122214708, 0.2119034982, 0.0883024619],
            [0.5363325363, 0.6806995451, 0.2817188376],
            [0.0514459929, 0.1073969566, 0.6299787005],
        ]
    )
    lab = np.cbrt(cones) @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )
    found: NDArray[np.int64] = np.rint(lab * 1000).astype(np.int64)
    return found
