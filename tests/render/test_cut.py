"""Pixels for programs: what is cut out, and the files it is packed in."""

import io
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.errors import RegionError, TooLargeError
from coverslip.model.render import Crop
from coverslip.render.cut import cut, pack
from tests.render.images import Stack, noise

CROP = Crop(x=2, y=3, width=5, height=4)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "uint32", "float16", "float64", "complex64"])
def test_pixels_come_out_as_they_are(dtype: str) -> None:
    pixels = noise(3, 4, 5, 10, 12, dtype=dtype)
    found = cut(Stack(pixels), CROP, t=2, channels=(3, 0), limit=10**6)
    np.testing.assert_array_equal(found, pixels[2, [3, 0], :, 3:7, 2:7])
    np.testing.assert_array_equal(np.load(io.BytesIO(pack(found, "npy"))), found)
    np.testing.assert_array_equal(tifffile.imread(io.BytesIO(pack(found, "tiff"))), found)
    one = cut(Stack(pixels), CROP, z=4, limit=10**6)
    np.testing.assert_array_equal(one, pixels[1, :, 4:5, 3:7, 2:7])


def test_colour_and_levels() -> None:
    levels = [np.random.default_rng(k).integers(0, 255, (1, 1, 4 >> k, 20, 20, 3)).astype(np.uint8) for k in range(2)]
    found = cut(Stack(*levels), CROP.model_copy(update={"level": 1}), z=3, limit=10**6)
    np.testing.assert_array_equal(found, levels[1][0, :, 1:2, 3:7, 2:7])
    with tifffile.TiffFile(io.BytesIO(pack(found, "tiff"))) as file:
        np.testing.assert_array_equal(file.asarray(squeeze=False).reshape(found.shape), found)


@pytest.mark.parametrize(
    ("crop", "choice"),
    [({"x": 10}, {}), ({"level": 1}, {}), ({}, {"z": 5}), ({}, {"t": 3}), ({}, {"channels": (4,)})],
)
def test_what_lies_outside_is_refused(crop: dict[str, int], choice: dict[str, Any]) -> None:
    with pytest.raises(RegionError):
        cut(Stack(noise(3, 4, 5, 10, 12)), CROP.model_copy(update=crop), limit=10**6, **choice)


def test_too_much_is_refused_before_it_is_read() -> None:
    stack = Stack(noise(1, 2, 5, 10, 12))
    with pytest.raises(TooLargeError, match="400 bytes"):
        cut(stack, CROP, limit=399)
    assert stack.reads == []
    assert cut(stack, CROP, limit=400).nbytes == 400
