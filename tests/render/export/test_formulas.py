"""Pictures are, pixel by pixel, what the recorded formulas give; the reference is written independently."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coverslip.model.export import (
    AnnotationClass,
    AnnotationLook,
    CellClass,
    CellLook,
    ChannelLook,
    ExportSpec,
    MarkerSet,
    MaskLook,
)
from coverslip.render.export import Fov, Window, cell_paint, render_crop_to_array, render_fov_to_array
from coverslip.render.export.composite import rgb
from coverslip.render.export.outlines import inner_boundaries, outlines, scaled_thickness
from tests.render.export import reference
from tests.render.export.fields import COLORS, IMMUNE, LIMITS, Array, fov_of, labels_of, rgb_of

LOOKS = [(rgb_of(COLORS[name]), *LIMITS[name]) for name in COLORS]
STEPS = st.integers(1, 9)
SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40))


def composed(fov: Fov, ds: int, window: tuple[int, int, int, int] | None = None) -> Array:
    x0, x1, y0, y1 = window or (0, fov.size[1], 0, fov.size[0])
    planes = [np.asarray(fov.channels[name])[y0:y1, x0:x1] for name in COLORS]
    return reference.composite(planes, LOOKS, ds)


def one(pixels: Any, **look: Any) -> Array:
    """Return the red of a picture of one channel shown in red."""
    look = {"color": "#ff0000", **look}
    spec = ExportSpec(markers=MarkerSet(name="one", channels=(ChannelLook(channel="A", **look),)))
    picture = render_fov_to_array(Fov("F", {"A": np.atleast_2d(pixels)}), spec)
    assert not picture[..., 1:].any()
    return picture[..., 0]


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "uint32", "float32", "float64"])
@pytest.mark.parametrize("ds", [1, 2, 3, 8])
def test_channels_of_every_type_are_stretched_and_added_as_recorded(dtype: str, ds: int) -> None:
    fov = fov_of(dtype=dtype)
    picture = render_fov_to_array(fov, ExportSpec(markers=IMMUNE, downsample=ds))
    np.testing.assert_array_equal(picture, reference.to_uint8(composed(fov, ds)))


@given(SIZES, STEPS, st.integers(0, 1000))
def test_sizes_are_rounded_up_whatever_the_step(size: tuple[int, int], ds: int, seed: int) -> None:
    fov = fov_of(*size, seed=seed)
    picture = render_fov_to_array(fov, ExportSpec(markers=IMMUNE, downsample=ds))
    assert picture.shape == (-(-size[0] // ds), -(-size[1] // ds), 3)
    np.testing.assert_array_equal(picture, reference.to_uint8(composed(fov, ds)))


def test_brightness_is_cut_and_not_rounded() -> None:
    # 0.5 * 255 is 127.5
    assert one([5.0], low=0, high=10).tolist() == [[127]]
    levels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(one(levels, low=0, high=255)[0], levels)


def test_a_sum_above_full_brightness_is_clipped_once_after_all_channels() -> None:
    looks = (ChannelLook(channel="A", color="#ff0000", high=2), ChannelLook(channel="B", color="#808080", high=1))
    fov = Fov("F", {"A": np.array([[2.0, 1.0]]), "B": np.array([[1.0, 0.0]])})
    picture = render_fov_to_array(fov, ExportSpec(markers=MarkerSet(name="m", channels=looks)))
    assert picture.tolist() == [[[255, 128, 128], [127, 0, 0]]]


def test_red_and_half_green_are_orange() -> None:
    looks = (ChannelLook(channel="A", color="red"), ChannelLook(channel="B", color="green"))
    fov = Fov("F", {"A": np.ones((2, 2)), "B": np.full((2, 2), 0.5)})
    picture = render_fov_to_array(fov, ExportSpec(markers=MarkerSet(name="m", channels=looks)))
    assert picture[0, 0].tolist() == [255, 127, 0]


@pytest.mark.parametrize(("low", "high"), [(5, 5), (5, 3)])
def test_limits_that_are_not_in_order_are_a_threshold(low: float, high: float) -> None:
    assert one([3, 5, 6, 60_000], low=low, high=high).tolist() == [[0, 0, 255, 255]]


def test_without_an_upper_limit_it_is_one_above_the_lower() -> None:
    assert one([10.0, 10.5, 11.0, 12.0], low=10).tolist() == [[0, 127, 255, 255]]


def test_what_is_no_number_is_dark_and_infinity_is_bright() -> None:
    with np.errstate(all="raise"):
        assert one([np.nan, -np.inf, np.inf, 1.0], low=0, high=2).tolist() == [[0, 0, 255, 127]]


@pytest.mark.parametrize(
    ("center", "size", "shape"),
    [
        ((20.0, 20.0), 16, (16, 16)),
        ((20.0, 20.0), 15, (14, 14)),
        ((20.0, 20.0), 1, (2, 2)),
        ((10.5, 11.5), 4, (4, 4)),  # halves to the even number: 10 and 12
        ((0.0, 0.0), 64, (32, 32)),
        ((82.0, 56.0), 10, (6, 6)),
        ((40.0, 2.0), 12, (8, 12)),
    ],
)
def test_crops_reach_half_their_size_from_a_rounded_centre(
    center: tuple[float, float], size: int, shape: tuple[int, int]
) -> None:
    fov = fov_of()
    picture = render_crop_to_array(fov, ExportSpec(markers=IMMUNE), center_xy=center, size_px=size)
    expected = composed(fov, 1, reference.crop_bounds(center, size, fov.size))
    assert picture.shape[:2] == shape
    np.testing.assert_array_equal(picture, reference.to_uint8(expected))


@given(st.floats(0, 82), st.floats(0, 56), st.integers(1, 70), STEPS)
def test_crops_everywhere_are_those_of_the_reference(x: float, y: float, size: int, ds: int) -> None:
    fov = fov_of()
    picture = render_crop_to_array(fov, ExportSpec(markers=IMMUNE, downsample=ds), center_xy=(x, y), size_px=size)
    expected = composed(fov, ds, reference.crop_bounds((x, y), size, fov.size))
    np.testing.assert_array_equal(picture, reference.to_uint8(expected))


TOUCHING = np.zeros((7, 9), int)
TOUCHING[1:6, 1:5], TOUCHING[1:6, 5:8] = 1, 2


def test_the_outline_of_two_touching_cells_is_inside_both() -> None:
    expected = """
        .........
        .#######.
        .#..##.#.
        .#..##.#.
        .#..##.#.
        .#######.
        ........."""
    found = ["".join("#" if pixel else "." for pixel in row) for row in inner_boundaries(TOUCHING)]
    assert found == expected.split()


def test_the_edge_of_the_array_is_no_boundary() -> None:
    assert not inner_boundaries(np.full((5, 5), 7)).any()
    half = np.zeros((5, 5), int)
    half[:3] = 7
    assert inner_boundaries(half).tolist() == [[False] * 5, [False] * 5, [True] * 5, [False] * 5, [False] * 5]


@pytest.mark.parametrize(
    ("thickness", "ds", "expected"), [(1, 8, 1), (5, 10, 1), (6, 2, 3), (4, 2, 2), (5, 2, 3), (3, 1, 3), (3, 2, 2)]
)
def test_outlines_are_scaled_with_the_picture(thickness: int, ds: int, expected: int) -> None:
    assert scaled_thickness(thickness, ds) == expected


@given(SIZES, st.integers(1, 5), st.integers(0, 1000))
def test_outlines_are_boundaries_grown_to_four_sides(size: tuple[int, int], thickness: int, seed: int) -> None:
    labels = labels_of(*size, seed)
    np.testing.assert_array_equal(outlines(labels, thickness), reference.outline(labels, thickness, 1))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int64", "uint64"])
def test_labels_of_every_type_have_outlines(dtype: str) -> None:
    np.testing.assert_array_equal(inner_boundaries(TOUCHING.astype(dtype)), inner_boundaries(TOUCHING))


@pytest.mark.parametrize("mode", ["outline", "fill"])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("thickness", "ds"), [(1, 1), (3, 1), (4, 2), (5, 3)])
def test_masks_are_laid_over_the_channels(mode: Any, alpha: float, thickness: int, ds: int) -> None:
    fov = fov_of()
    look = MaskLook(mask="whole_cell", color="#ff8000", alpha=alpha, mode=mode, thickness=thickness)
    labels = np.asarray(fov.masks["whole_cell"])[::ds, ::ds]
    where = reference.outline(labels, thickness, ds) if mode == "outline" else labels != 0
    expected = reference.blend(composed(fov, ds), where, rgb_of("#ff8000"), alpha)
    picture = render_fov_to_array(fov, ExportSpec(markers=IMMUNE, downsample=ds, masks=(look,)))
    np.testing.assert_array_equal(picture, reference.to_uint8(expected))


def test_later_masks_lie_over_earlier_ones() -> None:
    fov = Fov("F", {}, {"a": np.ones((2, 2), int), "b": np.array([[1, 0], [0, 0]])})
    looks = tuple(MaskLook(mask=name, color=color, mode="fill") for name, color in (("a", "red"), ("b", "blue")))
    picture = render_fov_to_array(fov, ExportSpec(masks=looks))
    assert picture[0].tolist() == [[0, 0, 255], [255, 0, 0]]


@pytest.mark.parametrize("ds", [1, 3])
def test_annotations_tint_every_pixel_below_the_masks(ds: int) -> None:
    fov = fov_of()
    classes = (AnnotationClass(value=1, color="#102030"), AnnotationClass(value=3, color="#ff00ff"))
    look = AnnotationLook(annotation="region", classes=classes, alpha=0.4)
    colormap = np.array([rgb_of(color) for color in ("#a0a0a0", "#102030", "#a0a0a0", "#ff00ff", "#a0a0a0")])
    regions = np.asarray(fov.annotations["region"])[::ds, ::ds]
    expected = reference.annotate(composed(fov, ds), regions, colormap, 0.4)
    labels = np.asarray(fov.masks["whole_cell"])[::ds, ::ds]
    expected = reference.blend(expected, reference.outline(labels, 1, ds), (1, 1, 1), 0.5)
    spec = ExportSpec(markers=IMMUNE, downsample=ds, annotation=look, masks=(MaskLook(mask="whole_cell", alpha=0.5),))
    np.testing.assert_array_equal(render_fov_to_array(fov, spec), reference.to_uint8(expected))


def test_the_background_of_an_annotation_is_grey_unless_it_is_left_out() -> None:
    fov = Fov("F", {}, {}, {"region": np.array([[0, 1]])})
    look = AnnotationLook(annotation="region", classes=(AnnotationClass(value=1, color="#0000ff"),))
    # 0.5 * 160 / 255 of black is 0.3137
    assert render_fov_to_array(fov, ExportSpec(annotation=look)).tolist() == [[[80, 80, 80], [0, 0, 127]]]
    bare = look.model_copy(update={"background": False})
    assert render_fov_to_array(fov, ExportSpec(annotation=bare)).tolist() == [[[0, 0, 0], [0, 0, 127]]]


@settings(max_examples=60)
@given(SIZES, st.integers(1, 4), st.integers(1, 3), st.integers(0, 1000), st.sampled_from([0.0, 0.4, 1.0]))
def test_each_cell_has_its_colour_as_in_the_reference(
    size: tuple[int, int], thickness: int, ds: int, seed: int, border_alpha: float
) -> None:
    fov = fov_of(*size, seed=seed)
    full = np.asarray(fov.masks["whole_cell"])
    numbers = [int(number) for number in np.unique(full) if number]
    kinds = {number: number % 4 for number in numbers}  # 0 has no colour
    classes = (
        CellClass(value="1", color="#ff0000", alpha=0.35),
        CellClass(value="2", color="#00ff40", mode="outline"),
        CellClass(value="3", color="#4080ff", alpha=0.8),
    )
    look = CellLook(mask="whole_cell", column="kind", classes=classes, thickness=thickness, border_alpha=border_alpha)
    looks = {
        number: (rgb_of(classes[kind - 1].color), classes[kind - 1].alpha, classes[kind - 1].mode == "outline")
        for number, kind in kinds.items()
        if kind
    }
    paint = cell_paint(look, numbers, [kinds[number] for number in numbers])
    painted = Fov(fov.name, fov.channels, fov.masks, paint=paint)
    labels = full[::ds, ::ds]
    expected = reference.cells(composed(fov, ds), labels, looks, thickness, ds, border_alpha)
    picture = render_fov_to_array(painted, ExportSpec(markers=IMMUNE, downsample=ds, cells=look))
    np.testing.assert_array_equal(picture, reference.to_uint8(expected))


def test_without_the_image_masks_lie_on_the_background() -> None:
    fov = fov_of()
    spec = ExportSpec(markers=IMMUNE, masks=(MaskLook(mask="whole_cell", mode="fill", color="red"),), image=False)
    picture = render_fov_to_array(fov, spec.model_copy(update={"background": "#102030"}))
    inside = np.asarray(fov.masks["whole_cell"]) != 0
    assert (picture[inside] == (255, 0, 0)).all()
    assert (picture[~inside] == (16, 32, 48)).all()


def test_a_region_is_a_part_of_the_whole() -> None:
    fov = fov_of()
    spec = ExportSpec(markers=IMMUNE)
    part = render_fov_to_array(fov, spec, region=Window(3, 5, 40, 30))
    np.testing.assert_array_equal(part, render_fov_to_array(fov, spec)[5:30, 3:40])


def test_colours_are_those_of_their_names() -> None:
    assert ChannelLook(channel="A", color="Green").color == "#00ff00"
    assert ChannelLook(channel="A", color="#F80").color == "#ff8800"
    assert rgb("#ff8000") == (1.0, 128 / 255, 0.0)


def test_pictures_of_many_blocks_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    fov = fov_of()
    classes = (CellClass(value="1", color="#ff0000"), CellClass(value="2", color="#00ff40", mode="outline"))
    look = CellLook(mask="whole_cell", column="kind", classes=classes, thickness=2)
    numbers = [int(number) for number in np.unique(np.asarray(fov.masks["whole_cell"])) if number]
    paint = cell_paint(look, numbers, [1 + number % 2 for number in numbers])
    painted = Fov(fov.name, fov.channels, fov.masks, fov.annotations, paint=paint)
    masks = (MaskLook(mask="whole_cell", alpha=0.5),)
    spec = ExportSpec(markers=IMMUNE, masks=masks, cells=look, annotation=AnnotationLook(annotation="region"))
    at_once = render_fov_to_array(painted, spec)
    for pixels in (1, 83 * 5, 83 * 11 + 1):
        monkeypatch.setattr("coverslip.render.export.composite.BLOCK_PIXELS", pixels)
        np.testing.assert_array_equal(render_fov_to_array(painted, spec), at_once)


@pytest.mark.parametrize("dtype", [">u2", ">i4", ">f4", "bool", "float16", "int8", "uint64"])
def test_pixels_of_other_byte_orders_and_rare_types_are_drawn(dtype: str) -> None:
    plane = (np.arange(6).reshape(2, 3) % 2).astype(dtype)
    assert one(plane).tolist() == [[0, 255, 0], [255, 0, 255]]
    assert one(plane.T).tolist() == [[0, 255], [255, 0], [0, 255]]


@pytest.mark.parametrize("dtype", [">u2", ">i4", "int8", "uint64"])
def test_labels_of_other_byte_orders_and_rare_types_are_coloured(dtype: str) -> None:
    labels = np.array([[0, 1, 1, 2], [0, 1, 1, 2]]).astype(dtype)
    look = CellLook(
        mask="m", column="c", classes=(CellClass(value="1", color="red", alpha=1),), borders=False, thickness=2
    )
    fov = Fov("F", {}, {"m": labels}, {"a": labels}, paint=cell_paint(look, [1], [1]))
    annotation = AnnotationLook(annotation="a", alpha=0)
    picture = render_fov_to_array(
        fov, ExportSpec(cells=look, annotation=annotation, masks=(MaskLook(mask="m", alpha=0),))
    )
    assert picture[..., 0].tolist() == [[0, 255, 255, 0]] * 2
