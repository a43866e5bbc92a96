"""The combined image: the median of many frames, beside numpy.median."""

from functools import partial
from typing import Any

import numpy as np
import tifffile
from numpy.typing import DTypeLike, NDArray

from benchmarks.conditions import folder, is_quick
from benchmarks.contest import counted, memory
from benchmarks.row import Row
from coverslip.render.median import median_of_frames

TIMES = 15
"""How much faster than numpy.median it is to be."""
MOST_MEGABYTES = 400
"""Blocks of 256 MB are combined at a time: files that are unpacked whole are unpacked once for each block."""


def rows() -> list[Row]:
    """Return a row for each number of frames and type, and one of the memory that a combined image takes."""
    side = 256 if is_quick() else 1024
    found = [_row(count, side, dtype) for dtype in ("uint8", "uint16") for count in (10, 50, 200)]
    return [*found, *_memory_row(200, side)]


def _row(count: int, side: int, dtype: DTypeLike) -> Row:
    frames = noise(count, side, dtype)
    expected = numpy_median(frames)
    np.testing.assert_array_equal(median_of_frames(frames), expected)
    return counted(
        f"median of {count} frames of {side} x {side}, {np.dtype(dtype).name}",
        {"coverslip": partial(median_of_frames, frames), "numpy.median": partial(numpy_median, frames)},
        count=1,
        times=TIMES,
        of="numpy.median",
        usual_rounds=5,
        note="the same values, compared before",
    )


def numpy_median(frames: NDArray[Any]) -> NDArray[Any]:
    """Return what the combined image is defined as: the mean of the middle two rounded half to even."""
    found: NDArray[Any] = np.rint(np.median(frames, axis=0)).astype(frames.dtype)
    return found


def noise(count: int, side: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return frames of a camera: an offset, a gradient, and Poisson noise; shape (count, side, side)."""
    dice = np.random.default_rng(count)
    mean = np.linspace(20, 120, side)[None, None, :] * (1 if np.dtype(dtype).itemsize == 1 else 30)
    drawn = dice.poisson(np.broadcast_to(mean, (1, side, side)), (count, side, side))
    found: NDArray[Any] = np.minimum(drawn, np.iinfo(np.dtype(dtype)).max).astype(dtype)
    return found


def _memory_row(count: int, side: int) -> list[Row]:
    path = folder() / f"film-{count}-{side}.tif"
    if not path.exists():
        tifffile.imwrite(path, noise(count, side, "uint16"), imagej=True, metadata={"axes": "TYX"})
    setup = "from coverslip import open_image\nfrom coverslip.render.combine import CombinedImage\n"
    setup += "from coverslip.model import Region\nfrom coverslip.model.annotations import Frames"
    work = f"with open_image({str(path)!r}) as file:\n"
    work += f"    CombinedImage(file.images[0], Frames(first=0, last={count - 1})).read(0, Region.at_plane())"
    measured = memory(setup, work)
    if measured is None:
        return []
    idle, top = measured
    return [
        Row(
            work=f"memory of the median of {count} frames of {side} x {side}, uint16, from a TIFF",
            ours=float(f"{top - idle:.3g}"),
            unit="MB",
            goal=f"within {MOST_MEGABYTES} MB however many frames",
            reached=top - idle <= MOST_MEGABYTES,
            note=f"the frames are {path.stat().st_size / 1e6:,.0f} MB; resident memory above that of the idle process",
        )
    ]
