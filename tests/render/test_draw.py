"""From an image to a picture, against a slow plain reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverslip import render
from coverslip.errors import InvalidRequestError, RegionError
from coverslip.model import ChannelInfo, ImageMetadata, Region, RenderSpec
from coverslip.render.compose import add_channel
from coverslip.render.planes import BAND_PIXELS
from coverslip.render.views import plan
from tests.render.images import Array, Stack, noise

INTEGERS = ["bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
DTYPES = [*INTEGERS, "float16", "float32", "float64", "complex64", "complex128"]


def area(plane: Array, height: int, width: int) -> Array:
    """Return the area average by repeating every pixel: slow, plain, exact."""
    fine = np.repeat(np.repeat(plane.astype(float), height, axis=0), width, axis=1)
    blocks = fine.reshape(height, plane.shape[0], width, plane.shape[1], *plane.shape[2:])
    averaged: Array = blocks.mean(axis=(1, 3))
    return averaged


def reference(stack: Stack, height: int, width: int) -> Array:
    """Return the picture of the middle time point the slow way."""
    pixels = stack.arrays[0]
    volume = pixels[pixels.shape[0] // 2]
    picture = np.zeros((height, width, 3))
    for channel, color in zip(volume, render.channel_colors(stack.metadata), strict=True):
        real = np.abs(channel) if channel.dtype.kind == "c" else channel
        plane = area(real.max(axis=0), height, width)
        low, high = np.percentile(plane, (1, 99))
        if low == high:
            low, high = plane.min(), plane.max()
        if low == high:
            low, high = (0, 1) if low == 0 else sorted((0, 2 * low))
        picture += np.clip((plane - low) / (high - low), 0, 1)[..., None] * np.array(color)
    return np.minimum(picture, 255)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(DTYPES),
    st.tuples(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(2, 30), st.integers(2, 30)),
    st.integers(1, 24),
    st.integers(1, 24),
)
def test_every_dtype_and_shape_equals_the_reference(
    dtype: str, shape: tuple[int, ...], width: int, height: int
) -> None:
    stack = Stack(noise(*shape, dtype=dtype))
    picture = render.draw(stack, RenderSpec(width=width, height=height))
    assert picture.dtype == np.uint8
    assert picture.shape[1] <= width
    assert picture.shape[0] <= height
    expected = reference(stack, *picture.shape[:2])
    assert np.abs(picture - expected).max() <= 1 + shape[1] / 2
    np.testing.assert_array_equal(picture, render.draw(stack, RenderSpec(width=width, height=height)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (1, 5000), (3000, 2)])
def test_the_smallest_and_the_thinnest_images(shape: tuple[int, int]) -> None:
    picture = render.draw(Stack(noise(1, 1, 1, *shape)), RenderSpec(width=64, height=64))
    scale = min(1, 64 / max(shape))
    assert picture.shape == (max(1, round(shape[0] * scale)), max(1, round(shape[1] * scale)), 3)


def test_planes_are_read_one_at_a_time_and_nothing_twice() -> None:
    stack = Stack(noise(2, 3, 5, 8, 8))
    render.draw(stack, RenderSpec(width=4, height=4))
    boxes = [box for _, box in stack.reads]
    assert all(box.shape == (1, 1, 1, 8, 8) for box in boxes)
    assert len(set(boxes)) == len(boxes) == 15
    assert {box.t for box in boxes} == {(1, 2)}


def test_the_coarsest_level_that_is_large_enough_is_read() -> None:
    levels = [noise(1, 1, 4, 64 >> k, 96 >> k) for k in range(4)]
    for width, level in ((96, 0), (49, 0), (48, 1), (25, 1), (24, 2), (12, 3), (1, 3)):
        stack = Stack(*levels)
        picture = render.draw(stack, RenderSpec(width=width, height=width))
        assert {read[0] for read in stack.reads} == {level}
        assert picture.shape[1] == width


def test_a_slice_is_found_on_levels_that_shrink_in_z_too() -> None:
    levels = (noise(1, 1, 8, 32, 32), noise(1, 1, 4, 16, 16))
    for z in range(8):
        stack = Stack(*levels)
        render.draw(stack, RenderSpec(width=16, height=16, z=z))
        assert [(level, box.z) for level, box in stack.reads] == [(1, (z // 2, z // 2 + 1))]


def test_chosen_time_slice_and_channels_are_shown() -> None:
    stack = Stack(noise(4, 3, 5, 16, 16))
    picture = render.draw(stack, RenderSpec(t=3, z=2, channels=(2, 0, 2)))
    assert [box for _, box in stack.reads] == [
        Region((3, 4), (2, 3), (2, 3), (0, 16), (0, 16)),
        Region((3, 4), (0, 1), (2, 3), (0, 16), (0, 16)),
    ]
    assert not picture[..., 0].any()
    assert picture[..., 1:].any(axis=(0, 1)).all()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (RenderSpec(t=2), "time point 2 does not exist; there are 2"),
        (RenderSpec(z=9), "slice 9 does not exist; there are 5"),
        (RenderSpec(channels=(0, 3)), "channel 3 does not exist; there are 3"),
        (RenderSpec(channels=()), "no channel"),
    ],
)
def test_what_lies_outside_is_refused(spec: RenderSpec, words: str) -> None:
    stack = Stack(noise(2, 3, 5, 4, 4))
    with pytest.raises(RegionError, match=words):
        render.draw(stack, spec)
    assert stack.reads == []


def test_percentiles_out_of_order_are_refused() -> None:
    with pytest.raises(InvalidRequestError, match="percentiles"):
        render.draw(Stack(noise(1, 1, 1, 4, 4)), RenderSpec(low=60, high=40))


def test_an_xz_scan_is_drawn_z_by_x() -> None:
    pixels = noise(1, 1, 20, 1, 30)
    picture = render.draw(Stack(pixels), RenderSpec())
    assert picture.shape == (20, 30, 3)
    upright = render.draw(Stack(pixels.reshape(1, 1, 1, 20, 30)), RenderSpec())
    np.testing.assert_array_equal(picture, upright)


def test_eight_bit_colour_is_shown_as_it_is_and_alpha_is_dropped() -> None:
    pixels = np.random.default_rng(0).integers(90, 130, (1, 1, 1, 9, 7, 4)).astype(np.uint8)
    picture = render.draw(Stack(pixels), RenderSpec())
    np.testing.assert_array_equal(picture, pixels[0, 0, 0, ..., :3])


def test_other_colour_is_stretched_together_so_that_hues_stay() -> None:
    grey = np.linspace(0, 60_000, 400).reshape(1, 1, 1, 20, 20, 1)
    pixels = (grey * np.array([1.0, 0.5, 0.25])).astype(np.uint16)
    picture = render.draw(Stack(pixels), RenderSpec(low=0, high=100)).reshape(-1, 3).astype(float)
    np.testing.assert_allclose(picture, np.linspace(0, 255, 400)[:, None] * [1, 0.5, 0.25], atol=1)


def test_grey_with_alpha_is_grey() -> None:
    pixels = noise(1, 1, 1, 9, 9)
    with_alpha = np.stack([pixels, np.full_like(pixels, 60_000)], axis=-1)
    np.testing.assert_array_equal(
        render.draw(Stack(with_alpha), RenderSpec()), render.draw(Stack(pixels), RenderSpec())
    )


def test_gaps_are_black_and_do_not_spread() -> None:
    pixels = noise(1, 1, 2, 40, 40, dtype="float32")
    pixels[..., :20, :20] = np.nan
    pixels[0, 0, 1, 30, 30] = np.inf
    picture = render.draw(Stack(pixels), RenderSpec(width=10, height=10))
    assert not picture[:5, :5].any()
    assert np.median(picture[5:, 5:]) > 30


@pytest.mark.parametrize(("value", "grey"), [(0, 0), (7, 128)])
def test_flat_images(value: int, grey: int) -> None:
    picture = render.draw(Stack(np.full((1, 1, 3, 8, 8), value, np.uint16)), RenderSpec())
    assert np.all(picture == grey)


def test_label_masks_with_large_numbers() -> None:
    labels = np.zeros((1, 1, 1, 64, 64), np.uint32)
    labels[..., 8:24, 8:24] = 4_000_000_000
    labels[..., 40:56, 40:56] = 2_000_000_000
    picture = render.draw(Stack(labels), RenderSpec(width=32, height=32))
    assert picture[8, 8].tolist() == [255, 255, 255]
    assert picture[24, 24].tolist() == [128, 128, 128]
    assert picture[0, 0].tolist() == [0, 0, 0]


def test_of_a_hundred_channels_the_first_four_are_shown_unless_chosen() -> None:
    stack = Stack(noise(1, 120, 1, 8, 8))
    render.draw(stack, RenderSpec())
    assert [box.c for _, box in stack.reads] == [(c, c + 1) for c in range(4)]
    chosen = Stack(noise(1, 120, 1, 8, 8))
    render.draw(chosen, RenderSpec(channels=tuple(range(120))))
    assert len(chosen.reads) == 120


def test_structure_that_is_dark_is_shown_by_its_middle_slice() -> None:
    pixels = noise(1, 2, 9, 16, 16)
    tomogram = Stack(pixels, file_format="MRC")
    render.draw(tomogram, RenderSpec())
    assert {box.z for _, box in tomogram.reads} == {(4, 5)}
    channels = (ChannelInfo(index=0, name="GFP"), ChannelInfo(index=1, name="Brightfield"))
    mixed = Stack(pixels, channels=channels)
    render.draw(mixed, RenderSpec())
    assert [box.z for _, box in mixed.reads if box.c == (1, 2)] == [(4, 5)]
    assert len([box for _, box in mixed.reads if box.c == (0, 1)]) == 9


def test_transmitted_light_is_grey_beside_others_and_white_alone() -> None:
    channels = (ChannelInfo(index=0, name="GFP"), ChannelInfo(index=1, name="DIC"))
    stack = Stack(noise(1, 2, 1, 32, 32), channels=channels)
    assert render.draw(stack, RenderSpec(channels=(1,))).max() == 255
    assert 120 < render.draw(stack, RenderSpec())[..., 2].max() < 160


def test_colours_add_up_and_stop_at_full_brightness() -> None:
    canvas = np.zeros((1, 3, 3), np.uint8)
    plane = np.array([[0.0, 0.5, 2.0]], np.float32)
    add_channel(canvas, plane, (0, 1), (255, 0, 100))
    add_channel(canvas, plane, (0, 1), (100, 200, 0))
    assert canvas.tolist() == [[[0, 0, 0], [178, 100, 50], [255, 200, 100]]]


class Huge:
    """A plane that would not fit into memory: every band is computed on request."""

    def __init__(self, side: int) -> None:
        self.metadata = ImageMetadata(name="huge", file_format="TIFF", size_y=side, size_x=side, dtype="uint8")
        self.largest = 0

    def read(self, level: int, region: Region) -> Array:
        y, x = region.y, region.x
        assert y is not None
        assert x is not None
        self.largest = max(self.largest, (y[1] - y[0]) * (x[1] - x[0]))
        rows = (np.arange(*y, dtype=np.int64) * 256 // self.metadata.size_y).astype(np.uint8)
        band: Array = np.broadcast_to(rows[:, None], (len(rows), x[1] - x[0]))[None, None, None]
        return band


def test_a_huge_plane_is_read_in_bands() -> None:
    image = Huge(10_000)
    picture = render.draw(image, RenderSpec(low=0, high=100))
    assert image.largest <= BAND_PIXELS < 10_000**2
    np.testing.assert_allclose(picture[:, 128, 0], np.arange(256), atol=1)


@given(st.integers(1, 10**6), st.integers(2, 10**6), st.integers(1, 8192), st.integers(1, 8192))
def test_plans_fit_and_never_enlarge(width: int, height: int, box_width: int, box_height: int) -> None:
    meta = ImageMetadata(name="a", file_format="TIFF", size_y=height, size_x=width, dtype="uint8")
    view = plan(meta, RenderSpec(width=box_width, height=box_height))
    assert view.target[0] <= min(height, box_height)
    assert view.target[1] <= min(width, box_width)


def test_the_projection_of_dark_structures_is_made_when_asked_for_by_name() -> None:
    tomogram, fluorescence = (Stack(noise(1, 1, 5, 30, 40), file_format=family) for family in ("MRC", "TIFF"))
    projected = render.draw(fluorescence, RenderSpec())
    assert np.array_equal(render.draw(tomogram, RenderSpec(projection="max")), projected)
    assert np.array_equal(render.draw(fluorescence, RenderSpec(projection="max")), projected)
    assert np.array_equal(render.draw(tomogram, RenderSpec()), render.draw(fluorescence, RenderSpec(z=2)))
    assert render.default_slice(tomogram.metadata) == 2
    assert render.default_slice(fluorescence.metadata) is None
