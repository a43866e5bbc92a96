"""Pictures are decoded by libraries other than the one that wrote them."""

from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

from coverslip.errors import InvalidRequestError
from coverslip.render import encode

PICTURES = hnp.arrays("uint8", hnp.array_shapes(min_dims=2, max_dims=2, max_side=30).map(lambda shape: (*shape, 3)))


def gradient() -> np.ndarray[Any, Any]:
    y, x = np.mgrid[0:120, 0:200]
    return np.stack([x, y * 2, 255 - x], axis=-1).astype(np.uint8)


@given(PICTURES)
def test_png_is_lossless_and_red_stays_red(picture: np.ndarray[Any, Any]) -> None:
    data = encode(picture, "image/png")
    np.testing.assert_array_equal(imagecodecs.png_decode(data).reshape(picture.shape), picture)
    assert encode(picture, "image/png") == data


@pytest.mark.parametrize(
    ("media_type", "decode", "start"),
    [
        ("image/webp", imagecodecs.webp_decode, b"RIFF"),
        ("image/jpeg", imagecodecs.jpeg_decode, b"\xff\xd8"),
    ],
)
def test_lossy_formats_are_close_small_and_repeatable(media_type: str, decode: Any, start: bytes) -> None:
    picture = gradient()
    data = encode(picture, media_type)
    assert data.startswith(start)
    assert np.abs(decode(data).astype(int) - picture).mean() < 3
    assert len(data) < picture.nbytes / 8
    assert encode(picture, media_type) == data


@given(PICTURES)
def test_every_size_down_to_one_pixel_can_be_written(picture: np.ndarray[Any, Any]) -> None:
    assert imagecodecs.webp_decode(encode(picture, "image/webp")).shape == picture.shape
    assert imagecodecs.jpeg_decode(encode(picture, "image/jpeg")).shape[:2] == picture.shape[:2]


def test_other_media_types_are_refused_by_name() -> None:
    with pytest.raises(InvalidRequestError, match=r"image/gif.*image/png"):
        encode(gradient(), "image/gif")


@pytest.mark.parametrize("shape", [(4, 4), (4, 4, 4), (0, 4, 3)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRequestError, match="Y, X, 3"):
        encode(np.zeros(shape, np.uint8), "image/png")


def test_a_picture_too_large_for_the_format_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="does not fit"):
        encode(np.zeros((1, 17_000, 3), np.uint8), "image/webp")
