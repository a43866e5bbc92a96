"""Voxels of a level of a volume -> those of the next ones: means, or what labels need. Exact to the last voxel.

A voxel of a coarser level stands for a block of 2, 4, 8 ... voxels along each axis that is halved, of which only those
count that there are: the last block of 5 voxels holds one, not one and an invented zero.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Voxels = NDArray[Any]

type Reduction = Literal["mean", "any", "nearest"]
"""How a block becomes a voxel.

``mean`` is the mean of the voxels there are: whole numbers are rounded once, half to even; NaN is left out, as in
``means``. ``any`` is the largest, which keeps thin objects in masks of 0 and 1. ``nearest`` is the voxel nearest to the
middle: numbers of instances cannot be added or compared.
"""


def reduced(block: "Voxels", steps: int, reduction: Reduction, *, halves_z: bool = True) -> "Iterator[Voxels]":
    """Yield what a block of voxels is in the next coarser level, then in the one after it, and so on.

    Parameters
    ----------
    block
        Shape Z, Y, X; float32 or whole numbers of at most 32 bits. Its first plane, row and column begin a block of the
        coarsest level.
    steps
        How many levels.
    reduction
        See ``Reduction``.
    halves_z
        Whether Z is halved too.

    Yields
    ------
    numpy.ndarray
        Shape ceil(Z / 2^n) (or Z), ceil(Y / 2^n), ceil(X / 2^n), the type of the block.
    """
    if reduction == "mean":
        yield from _means(block, steps, halves_z)
        return
    coarser = block
    for step in range(1, steps + 1):
        if reduction == "nearest":
            yield _nearest(block, step, halves_z)
        else:
            coarser = _paired(coarser, halves_z, np.maximum)
            yield coarser


def _means(block: "Voxels", steps: int, halves_z: bool) -> "Iterator[Voxels]":
    """Yield means, from sums in double precision: those of whole numbers are exact."""
    is_real = block.dtype.kind == "f"
    gaps = np.isnan(block) if is_real and steps and np.isnan(block.max()) else None
    sums: Voxels = block.astype(np.float64)
    known: Voxels | None = None
    if gaps is not None:
        sums[gaps] = 0
        known = (~gaps).astype(np.float64)
    for step in range(1, steps + 1):
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # infinities are data; 0 / 0 is a gap
            sums = _paired(sums, halves_z, np.add)
            if known is not None:
                known = _paired(known, halves_z, np.add)
            mean = sums / (_counts(block.shape, step, halves_z) if known is None else known)
            yield (mean if is_real else np.rint(mean)).astype(block.dtype)


def _paired(values: "Voxels", halves_z: bool, join: np.ufunc) -> "Voxels":
    """Return neighbours joined along each axis; what has no neighbour stands alone.

    Z first: whole planes are joined fastest, and only an eighth of the work is left for single voxels of a row.
    """
    for axis in (0, 1, 2) if halves_z else (1, 2):
        lead = (slice(None),) * axis
        first, second = values[(*lead, slice(0, None, 2))], values[(*lead, slice(1, None, 2))]
        if first.shape == second.shape:
            values = join(first, second)
        else:
            values = first.copy()
            inner = values[(*lead, slice(0, second.shape[axis]))]
            join(inner, second, out=inner)
    return values


def _counts(shape: tuple[int, ...], step: int, halves_z: bool) -> "Voxels | int":
    """Return how many voxels each block has."""
    side = 1 << step
    sides = (side if halves_z else 1, side, side)
    if not any(length % side for length, side in zip(shape, sides, strict=True)):
        return sides[0] * side * side
    z, y, x = (np.minimum(side, length - np.arange(0, length, side)) for length, side in zip(shape, sides, strict=True))
    counts: Voxels = z[:, None, None] * y[:, None] * x
    return counts


def _nearest(block: "Voxels", step: int, halves_z: bool) -> "Voxels":
    side = 1 << step
    sides = (side if halves_z else 1, side, side)
    places = [
        np.minimum(np.arange(side // 2, length + side // 2, side), length - 1)
        for length, side in zip(block.shape, sides, strict=True)
    ]
    return block[np.ix_(*places)]
