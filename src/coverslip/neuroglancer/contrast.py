"""Which values a tomogram is shown with, in slices and as a volume, from a sample of its middle.

The rules are those of the CryoET Data Portal: slices show the mean and three deviations on both sides; volumes show the
part of a Gaussian mixture that most of the specimen is in. What it shows is a hint, not data.
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from coverslip.errors import ReadError
from coverslip.model import CanRead, Region
from coverslip.neuroglancer.mixture import Values, best_mixture
from coverslip.ngff.documents import Window

RECIPE = 1
"""Raise it when the same tomogram would get other limits."""
SLICES = 15
"""Slices on each side of the middle one that are looked at."""
SHARE = 0.3
"""Part of their voxels that is looked at."""
SAMPLES = 1 << 16
"""Most voxels that are looked at: more change nothing that can be seen."""
FEW = 1 << 12
"""So many voxels are all looked at."""
SIDE = 4096
"""Most pixels of a side that are looked at, in the middle."""
AT_ONCE = 1 << 25
"""Voxels held in memory at a time."""
SEED = 42
DEVIATIONS = ((2.0, 0.5), (2.2, 0.65), (3.0, 0.8))
"""How many deviations below and above the mean of its component a volume shows, by the number of components."""
DOCUMENT_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class ContrastLimits:
    """What is shown black and white, and what the controls span."""

    range_2d: Window
    window_2d: Window
    range_3d: Window
    window_3d: Window

    @classmethod
    def of(cls, slices: Window, volume: Window) -> Self:
        """Return limits whose controls span a fifth more on both sides for slices, twice as much more for volumes."""
        return cls(slices, _wider(slices, 0.2), volume, _wider(volume, 2.0))

    def to_json(self) -> bytes:
        """Return it as a JSON document; equal limits have equal bytes."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Return what ``to_json`` wrote.

        Raises
        ------
        ReadError
            It is something else.
        """
        try:
            if len(data) > DOCUMENT_BYTES:
                raise ValueError(f"{len(data):,} bytes")
            document = json.loads(data)
            windows = {name: _window(document[name]) for name in cls.__dataclass_fields__}
        except (ValueError, TypeError, KeyError, RecursionError, OverflowError) as error:
            raise ReadError(f"these are no contrast limits: {error}") from error
        return cls(**windows)


def measure_contrast(image: CanRead) -> ContrastLimits:
    """Return the limits of an image: its first channel at the first time point.

    Looked at is the coarsest level: a random sample, always the same one, of the middle slices. Values that are no
    finite numbers do not count; of complex ones the magnitude does. An image of one value is shown grey, one without
    any as 0 to 1.

    Raises
    ------
    ReadError
        The file does not give these pixels.
    """
    values = _sample(image)
    if not values.size:
        return ContrastLimits.of((0.0, 1.0), (0.0, 1.0))
    largest = float(np.abs(values).max()) or 1.0
    scaled = values / largest  # neither squares of very large numbers nor of very small ones are lost
    low, high = float(scaled.min()), float(scaled.max())
    mean, deviation = float(scaled.mean()), float(scaled.std())
    if not high > low or deviation <= 1e-12:
        around = max(0.5, 1e-3 * largest)
        single = _rounded(mean * largest - around, mean * largest + around)
        return ContrastLimits.of(single, single)
    slices = _rounded((mean - 3 * deviation) * largest, (mean + 3 * deviation) * largest)
    bottom, top = _of_volume(scaled, mean)
    bottom, top = max(bottom, low), min(top, high)
    volume = (bottom, top) if bottom < top else (low, high)
    return ContrastLimits.of(slices, _rounded(volume[0] * largest, volume[1] * largest))


def _of_volume(values: Values, mean: float) -> Window:
    """Return the limits around the component whose mean is nearest to that of all values."""
    mixture = best_mixture(values)
    nearest = int(np.argmin(np.abs(mixture.means - mean)))
    center, deviation = float(mixture.means[nearest]), float(mixture.deviations[nearest])
    below, above = DEVIATIONS[len(mixture.means) - 1]
    return center - below * deviation, center + above * deviation


def _sample(image: CanRead) -> Values:
    """Return some finite values of the middle of the coarsest level, shape (n,)."""
    level = len(image.metadata.levels) - 1
    _, _, depth, height, width = image.metadata.level_shape(level)[:5]
    first, last = max(0, depth // 2 - SLICES), min(depth, depth // 2 + SLICES + 1)
    rows, columns = _middle(height), _middle(width)
    plane = (rows[1] - rows[0]) * (columns[1] - columns[0])
    voxels = plane * (last - first)
    share = min(1.0, max(min(SHARE, SAMPLES / voxels), FEW / voxels))
    thickness = max(1, AT_ONCE // plane)
    dice = np.random.default_rng(SEED)
    found = []
    for z in range(first, last, thickness):
        box = Region((0, 1), (0, 1), (z, min(z + thickness, last)), rows, columns)
        pixels = _first_sample(image, image.read(level, box)).reshape(-1)
        picked = dice.choice(pixels.size, math.ceil(share * pixels.size), replace=False, shuffle=False)
        picked.sort()
        found.append(_real(pixels[picked]))
    values = np.concatenate(found)
    return values[np.isfinite(values)]


def _first_sample(image: CanRead, pixels: NDArray[Any]) -> NDArray[Any]:
    return pixels if image.metadata.samples == 1 else pixels[..., 0]


def _real(pixels: NDArray[Any]) -> Values:
    found = np.abs(pixels) if pixels.dtype.kind == "c" else pixels
    return found.astype(np.float64)


def _middle(length: int) -> tuple[int, int]:
    start = max(0, (length - SIDE) // 2)
    return start, min(length, start + SIDE)


def _wider(limits: Window, part: float) -> Window:
    margin = part * (limits[1] - limits[0])
    return _rounded(limits[0] - margin, limits[1] + margin)


def _rounded(low: float, high: float) -> Window:
    """Return six digits of both, which is more than can be seen, where they stay different and finite."""
    short = float(f"{low:.6g}"), float(f"{high:.6g}")
    found = short if short[0] < short[1] else (low, high)
    largest = float(np.finfo(np.float64).max)
    return max(found[0], -largest), min(found[1], largest)


def _window(value: Any) -> Window:
    low, high = (float(one) for one in value)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{value} is no range")
    return low, high
