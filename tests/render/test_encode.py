"""Pictures are decoded by libraries other than the one that wrote them."""

from typing import Any

import cv2
import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from coverslip.errors import InvalidRequestError
from coverslip.render import encode
from coverslip.render.encode import lossless, stored_png

PICTURES = hnp.arrays("uint8", hnp.array_shapes(min_dims=2, max_dims=2, max_side=30).map(lambda shape: (*shape, 3)))


def gradient() -> np.ndarray[Any, Any]:
    y, x = np.mgrid[0:120, 0:200]
    return np.stack([x, y * 2, 255 - x], axis=-1).astype(np.uint8)


def decoded(data: bytes, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return the pixels of a PNG as red, green, blue, whether it is grey or not."""
    found: np.ndarray[Any, Any] = imagecodecs.png_decode(data)
    return np.broadcast_to(found.reshape(*shape[:2], -1), shape)


@given(PICTURES, st.booleans())
def test_png_is_lossless_and_red_stays_red(picture: np.ndarray[Any, Any], at_once: bool) -> None:
    data = encode(picture, "image/png", at_once=at_once)
    np.testing.assert_array_equal(decoded(data, picture.shape), picture)
    assert encode(picture, "image/png", at_once=at_once) == data


@given(PICTURES)
def test_a_png_that_is_not_compressed_is_one_to_other_libraries(picture: np.ndarray[Any, Any]) -> None:
    for pixels in (picture, np.ascontiguousarray(picture[..., 0])):
        data = stored_png(pixels)
        expected = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)
        np.testing.assert_array_equal(decoded(data, expected.shape), expected)
        read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert read is not None
        np.testing.assert_array_equal(cv2.cvtColor(read, cv2.COLOR_BGR2RGB), expected)


def test_one_coloured_pixel_makes_a_colour_png() -> None:
    grey = np.repeat(np.arange(200, dtype=np.uint8)[:, None, None], 300, axis=1).repeat(3, axis=2)
    colored = grey.copy()
    colored[101, 77, 2] ^= 1
    assert imagecodecs.png_decode(encode(grey, "image/png")).shape == (200, 300)
    np.testing.assert_array_equal(imagecodecs.png_decode(encode(colored, "image/png")), colored)


def test_noise_is_not_compressed_for_somebody_who_waits_and_all_else_is() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 200), np.uint8)[..., None].repeat(3, axis=2)
    assert encode(noise, "image/png", at_once=True) == stored_png(noise[..., 0])
    assert encode(gradient(), "image/png", at_once=True) == encode(gradient(), "image/png")
    assert len(encode(gradient(), "image/png")) < gradient().nbytes / 4


def read_by_opencv(data: bytes) -> np.ndarray[Any, Any]:
    read = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert read is not None
    return cv2.cvtColor(read, cv2.COLOR_BGR2RGB)


@given(PICTURES)
def test_a_png_that_is_kept_has_every_pixel_and_is_always_the_same(picture: np.ndarray[Any, Any]) -> None:
    data = lossless(picture)
    np.testing.assert_array_equal(read_by_opencv(data), picture)
    assert lossless(np.asfortranarray(picture)) == data


def test_a_png_that_is_kept_is_stored_where_nothing_can_be_saved_and_small_where_much_can() -> None:
    dice = np.random.default_rng(1)
    noise = dice.integers(0, 256, (300, 200, 3), np.uint8)
    sparse = (dice.random((300, 200, 3)) > 0.9) * np.uint8(17)
    slope = np.repeat(np.arange(300, dtype=np.uint8)[:, None, None] // 2, 200, axis=1) + gradient()[:1]
    for picture, most in ((noise, 1.02), (sparse, 0.25), (slope.astype(np.uint8), 0.3)):
        data = lossless(picture)
        np.testing.assert_array_equal(read_by_opencv(data), picture)
        assert len(data) < most * picture.nbytes
    assert len(lossless(noise)) > noise.nbytes


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
