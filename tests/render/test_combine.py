"""Combined frames are what numpy says, in any memory."""

from typing import Any

import numpy as np
import pytest

from coverslip.errors import RegionError
from coverslip.model import Region
from coverslip.model.annotations import Box, Frames
from coverslip.model.render import Crop
from coverslip.render.combine import STATISTICS, CombinedImage, Statistic
from coverslip.render.cut import cut
from tests.render.images import Array, Stack, noise

BOX = Box(x=3, y=2, width=9, height=7)


def expected(frames: Array, statistic: Statistic) -> Array:
    """Return the statistic of frames F, C, Y, X (and S) along F."""
    functions: dict[str, Any] = {"median": np.median, "mean": np.mean, "max": np.max, "std": np.std}
    found: Array = functions[statistic](frames, axis=0)
    is_rounded = statistic == "median" and frames.dtype.kind in "iu"
    return np.rint(found).astype(frames.dtype) if is_rounded else found


def read(image: CombinedImage) -> Array:
    size = image.metadata
    return cut(image, Crop(x=0, y=0, width=size.size_x, height=size.size_y), limit=1 << 30)[:, 0]


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("box", [None, BOX])
def test_frames_along_t_are_those_of_the_middle_slice(statistic: Statistic, dtype: str, box: Box | None) -> None:
    pixels = noise(11, 2, 5, 16, 20, dtype=dtype)
    image = CombinedImage(Stack(pixels), Frames(axis="t", first=2, last=7), box, statistic=statistic)
    rows, columns = (slice(None),) * 2 if box is None else (slice(2, 9), slice(3, 12))
    wanted = expected(pixels[2:8, :, 2, rows, columns], statistic)
    np.testing.assert_allclose(read(image), wanted, rtol=1e-6 if dtype == "float32" else 1e-12)
    assert image.metadata.dtype == ("float64" if statistic in {"mean", "std"} else dtype)


def test_frames_along_z_are_those_of_the_middle_time_point() -> None:
    pixels = noise(5, 1, 9, 8, 8)
    image = CombinedImage(Stack(pixels), Frames(axis="z", first=0, last=8))
    np.testing.assert_array_equal(read(image), expected(pixels[2].swapaxes(0, 1), "median"))


@pytest.mark.parametrize("statistic", STATISTICS)
def test_small_memory_gives_the_same(statistic: Statistic) -> None:
    stack = Stack(noise(8, 1, 1, 13, 17, 3, dtype="uint8"))
    frames = Frames(first=0, last=7)
    whole = read(CombinedImage(stack, frames, statistic=statistic))
    stack.reads.clear()
    pieces = read(CombinedImage(stack, frames, statistic=statistic, block_bytes=8 * 3 * 10))
    np.testing.assert_allclose(pieces, whole, rtol=1e-12)
    assert stack.largest_read() <= 10


def test_colour_samples_are_kept() -> None:
    pixels = noise(3, 1, 1, 6, 7, 3, dtype="uint8")
    found = read(CombinedImage(Stack(pixels), Frames(first=0, last=2)))
    np.testing.assert_array_equal(found, expected(pixels[:, :, 0], "median"))


def test_what_was_not_measured_is_left_out() -> None:
    pixels = noise(4, 1, 1, 4, 4, dtype="float32")
    pixels[1] = np.nan
    for statistic in STATISTICS:
        found = read(CombinedImage(Stack(pixels), Frames(first=0, last=3), statistic=statistic))
        np.testing.assert_allclose(found, expected(np.delete(pixels, 1, axis=0)[:, :, 0], statistic), rtol=1e-6)


def test_part_of_it_can_be_read() -> None:
    pixels = noise(3, 2, 1, 10, 12)
    image = CombinedImage(Stack(pixels), Frames(first=0, last=2), BOX)
    part = image.read(0, Region(c=(1, 2), y=(1, 3), x=(2, 6)))
    np.testing.assert_array_equal(part[0, 0, 0], np.median(pixels[:, 1, 0, 3:5, 5:9], axis=0))


@pytest.mark.parametrize(
    ("frames", "box", "words"),
    [
        (Frames(first=2, last=5), None, "frames 2 to 5 along t.*has 5 now"),
        (Frames(axis="z", first=0, last=1), None, "along z.*has 1 now"),
        (Frames(first=0, last=1), Box(x=5, y=0, width=4, height=1), "box of 4 x 1 pixels at 5, 0.*8 x 8"),
    ],
)
def test_what_does_not_fit_says_so(frames: Frames, box: Box | None, words: str) -> None:
    with pytest.raises(RegionError, match=words):
        CombinedImage(Stack(noise(5, 1, 1, 8, 8)), frames, box)
