"""Where pictures come from and in which proportions."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverslip import render
from coverslip.errors import InvalidRequestError, RegionError
from coverslip.model import ChannelInfo, ImageMetadata, PhysicalSize, RenderSpec
from coverslip.model.render import Axis, Contrast, Crop, Projection
from coverslip.render.views import GAP, extents, layout, plan
from tests.render.images import Array, Stack, noise

FULL = {"contrast": (Contrast(low=0, high=255),)}


def sizes(x: float, y: float, z: float) -> dict[str, PhysicalSize]:
    return {f"pixel_size_{axis}": PhysicalSize(value=value) for axis, value in zip("xyz", (x, y, z), strict=True)}


def grey(picture: Array) -> Array:
    assert np.array_equal(picture[..., 0], picture[..., 1])
    found: Array = picture[..., 0]
    return found


def test_proportions_are_those_of_the_specimen() -> None:
    meta = Stack(noise(1, 1, 5, 10, 20), **sizes(0.1, 0.2, 0.5)).metadata
    assert extents(meta) == (25, 20, 20)
    assert extents(Stack(noise(1, 1, 5, 10, 20)).metadata) == (5, 10, 20)
    mixed = {"pixel_size_x": PhysicalSize(value=100, unit="nm"), "pixel_size_z": PhysicalSize(value=0.3)}
    assert extents(Stack(noise(1, 1, 5, 10, 20), **mixed).metadata)[0] == pytest.approx(15)


@pytest.mark.parametrize(("axis", "shape"), [(0, (10, 20)), (1, (25, 20)), (2, (25, 10))])
def test_side_views_repeat_slices_that_lie_further_apart(axis: int, shape: tuple[int, int]) -> None:
    volume = noise(1, 1, 5, 10, 20, dtype="uint8")
    spec = RenderSpec.model_validate({"axis": axis, "projection": "max", **FULL})
    picture = grey(render.draw(Stack(volume, **sizes(0.1, 0.1, 0.5)), spec))
    assert picture.shape == shape
    expected = volume[0, 0].max(axis=axis)
    np.testing.assert_array_equal(picture, np.repeat(expected, shape[0] // len(expected), axis=0))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(get_args(Projection)),
    st.sampled_from([0, 1, 2]),
    st.tuples(*[st.integers(1, 12)] * 3),
    st.integers(1, 16),
)
def test_pictures_of_projections_are_their_area_average(
    kind: Projection, axis: Axis, shape: tuple[int, int, int], width: int
) -> None:
    stack = Stack(noise(1, 1, *shape, dtype="uint8"))
    if axis == 0 and shape[1] == 1 and shape[0] > 1:
        return  # an x-z scan, which is looked at along y
    spec = RenderSpec.model_validate(
        {"axis": axis, "projection": kind, "width": width, "height": width, "contrast": (Contrast(low=0, high=2000),)}
    )
    picture = grey(render.draw(stack, spec))
    plane = render.projection(stack, kind, axis)
    rows, columns = picture.shape
    fine = np.repeat(np.repeat(plane.astype(float), rows, axis=0), columns, axis=1)
    average = fine.reshape(rows, plane.shape[0], columns, plane.shape[1]).mean(axis=(1, 3))
    np.testing.assert_allclose(picture, average / 2000 * 255, atol=1)


def test_a_multiview_holds_three_views_on_one_scale_and_one_contrast() -> None:
    volume = noise(1, 1, 5, 30, 40, dtype="uint8")
    stack = Stack(volume, **sizes(0.1, 0.1, 0.2))
    spec = RenderSpec(width=200, height=200, projection="max", layout="multiview", low=0, high=100)
    picture = grey(render.draw(stack, spec)).astype(int)
    assert picture.shape == (30, 40 + GAP + 40 + GAP + 30)
    panels = [volume[0, 0].max(axis=axis) for axis in (0, 1, 2)]
    low, high = min(panel.min() for panel in panels), max(panel.max() for panel in panels)
    places = [(slice(0, 30), slice(0, 40)), (slice(0, 10), slice(44, 84)), (slice(0, 10), slice(88, 118))]
    for axis, (panel, place) in enumerate(zip(panels, places, strict=True)):
        stretched = (panel.astype(float) - low) / (high - low) * 255
        np.testing.assert_allclose(picture[place], stretched if axis == 0 else np.repeat(stretched, 2, 0), atol=1)
        picture[place] = 0
    assert not picture.any()


def test_a_multiview_shows_a_chosen_slice_from_above_only() -> None:
    volume = noise(1, 1, 4, 6, 8, dtype="uint8")
    spec = RenderSpec(width=100, height=100, z=1, projection="max", layout="multiview", **FULL)
    picture = grey(render.draw(Stack(volume), spec))
    np.testing.assert_array_equal(picture[:6, :8], volume[0, 0, 1])
    np.testing.assert_array_equal(picture[:4, 8 + GAP : 16 + GAP], volume[0, 0].max(axis=1))


@given(
    st.tuples(*[st.integers(1, 3000)] * 3),
    st.tuples(*[st.floats(0.01, 100)] * 3),
    st.integers(16, 8192),
    st.integers(1, 8192),
)
def test_multiviews_fit_their_box(
    shape: tuple[int, int, int], lengths: tuple[float, float, float], width: int, height: int
) -> None:
    z, y, x = shape
    meta = ImageMetadata(name="a", file_format="TIFF", size_z=z, size_y=y, size_x=x, dtype="uint8", **sizes(*lengths))
    sheet = layout(meta, RenderSpec(width=width, height=height, layout="multiview"))
    assert sheet.size[0] <= height
    assert sheet.size[1] <= width
    for view, row, column in sheet.views:
        assert row + view.target[0] <= sheet.size[0]
        assert column + view.target[1] <= sheet.size[1]


def test_a_multiview_needs_some_room() -> None:
    with pytest.raises(InvalidRequestError, match="width of 16"):
        render.draw(Stack(noise(1, 1, 2, 4, 4)), RenderSpec(width=15, layout="multiview"))


def test_side_views_read_a_coarse_level_where_it_is_fine_enough() -> None:
    levels = [noise(1, 1, 8, 64 >> k, 96 >> k) for k in range(3)]
    for width, level in ((96, 0), (48, 1), (24, 2)):
        stack = Stack(*levels)
        render.draw(stack, RenderSpec(width=width, height=200, axis=1))
        assert {read[0] for read in stack.reads} == {level}


def test_structure_that_is_dark_is_cut_in_the_middle_of_every_axis() -> None:
    pixels = noise(1, 1, 9, 16, 12)
    for axis, box in ((0, "z"), (1, "y"), (2, "x")):
        stack = Stack(pixels, channels=(ChannelInfo(index=0, name="Brightfield"),))
        render.draw(stack, RenderSpec.model_validate({"axis": axis}))
        middle = pixels.shape[2 + axis] // 2
        assert {getattr(read, box) for _, read in stack.reads} == {(middle, middle + 1)}


def test_a_crop_is_read_and_nothing_else() -> None:
    levels = noise(1, 1, 6, 64, 96, dtype="uint8"), noise(1, 1, 3, 32, 48, dtype="uint8", seed=1)
    stack = Stack(*levels)
    crop = Crop(x=5, y=7, width=20, height=10, level=1)
    picture = grey(render.draw(stack, RenderSpec(z=5, crop=crop, **FULL)))
    np.testing.assert_array_equal(picture, levels[1][0, 0, 2, 7:17, 5:25])
    assert [(level, box.y, box.x, box.z) for level, box in stack.reads] == [(1, (7, 17), (5, 25), (2, 3))]
    projected = grey(render.draw(stack, RenderSpec(crop=crop, projection="max", **FULL)))
    np.testing.assert_array_equal(projected, levels[1][0, 0, :, 7:17, 5:25].max(axis=0))
    small = render.draw(stack, RenderSpec(z=0, crop=crop, width=10, height=10))
    assert small.shape == (5, 10, 3)


@pytest.mark.parametrize(
    "wrong", [{"x": 90}, {"y": 60}, {"level": 2}, {"width": 97}], ids=lambda value: next(iter(value))
)
def test_a_crop_outside_is_refused_before_anything_is_read(wrong: dict[str, int]) -> None:
    stack = Stack(noise(1, 1, 1, 64, 96))
    crop: Any = {"x": 0, "y": 0, "width": 10, "height": 10, **wrong}
    with pytest.raises(RegionError):
        render.draw(stack, RenderSpec(crop=Crop(**crop)))
    assert stack.reads == []


def test_a_slice_of_an_xz_scan_is_the_scan() -> None:
    meta = Stack(noise(1, 1, 20, 1, 30)).metadata
    assert plan(meta, RenderSpec(z=3, projection="std")) == plan(meta, RenderSpec(projection="max"))
