"""What can be chosen beyond the recorded formulas."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from coverslip.errors import ExportError, InvalidRequestError, MissingMaskError, OutsideImageError
from coverslip.model.export import (
    Caption,
    CellClass,
    CellLook,
    ChannelLook,
    ColorBar,
    ExportSpec,
    Legend,
    MarkerSet,
    MaskLook,
    Ramp,
    ScaleBar,
)
from coverslip.model.rois import Roi, RoiShape
from coverslip.model.templates import filled
from coverslip.render.export import (
    Fov,
    Window,
    around_box,
    cell_paint,
    figure_of,
    flatten,
    label_boxes,
    of_roi,
    render_crop_to_array,
    render_fov_to_array,
    render_roi_to_array,
    text,
)
from coverslip.render.export.composite import brightness
from coverslip.render.export.text import text_mask
from coverslip.render.luts import table
from tests.render.export.fields import IMMUNE, Array, fov_of, labels_of

RED = MarkerSet(name="red", channels=(ChannelLook(channel="A", color="red", high=255),))


def red(plane: Any, **more: Any) -> Array:
    spec = ExportSpec(markers=RED, **more)
    return render_fov_to_array(Fov("F", {"A": np.asarray(plane)}), spec)[..., 0]


@given(st.integers(1, 30), st.integers(1, 30), st.integers(2, 7), st.integers(0, 99))
def test_area_averages_are_the_means_of_the_pixels_there_are(height: int, width: int, ds: int, seed: int) -> None:
    plane = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint16)
    found = red(plane, downsample=ds, resampling="area")
    for row in range(-(-height // ds)):
        for column in range(-(-width // ds)):
            block = plane[row * ds : (row + 1) * ds, column * ds : (column + 1) * ds]
            assert abs(int(found[row, column]) - block.mean()) <= 1


def test_area_averages_leave_out_what_is_no_number() -> None:
    assert red([[10, np.nan], [30, np.nan]], downsample=2, resampling="area").tolist() == [[20]]
    assert red(np.full((2, 2), np.nan), downsample=2, resampling="area").tolist() == [[0]]


def test_labels_stay_labels_and_in_register_when_pixels_are_averaged() -> None:
    plane = np.zeros((40, 40), np.uint16)
    plane[13:29, 9:25] = 255
    fov = Fov("F", {"A": plane}, {"m": (plane > 0) * 70_000})
    fill = MaskLook(mask="m", mode="fill", color="blue", alpha=1)
    spec = ExportSpec(markers=RED, masks=(fill,), downsample=4, resampling="area")
    picture = render_fov_to_array(fov, spec, region=Window(1, 1, 40, 40))
    assert (picture[3:7, 2:6] == (0, 0, 255)).all()
    assert not picture[..., 2][:3].any()


@pytest.mark.parametrize("ds", [1, 2, 3])
@pytest.mark.parametrize("center", [(0, 0), (82, 56), (40, 28), (1, 55), (-3, 2)])
def test_padded_crops_have_one_size_and_the_real_pixels_in_their_place(ds: int, center: tuple[int, int]) -> None:
    fov, spec = fov_of(), ExportSpec(markers=IMMUNE, downsample=ds, pad=True, background="#ff8040")
    picture = render_crop_to_array(fov, spec, center_xy=center, size_px=24)
    assert picture.shape == (24 // ds, 24 // ds, 3)
    whole = render_fov_to_array(fov, ExportSpec(markers=IMMUNE))
    for row in range(24 // ds):
        for column in range(24 // ds):
            y, x = center[1] - 12 + row * ds, center[0] - 12 + column * ds
            spans = 0 <= y < 57 and 0 <= x < 83
            if spans:
                assert picture[row, column].tolist() == whole[y, x].tolist()
            elif y + ds <= 0 or x + ds <= 0 or y >= 57 or x >= 83:
                assert picture[row, column].tolist() == [255, 128, 64]


def test_gamma_lightens_the_dark() -> None:
    look = ChannelLook(channel="A", high=4, gamma=0.5)
    np.testing.assert_allclose(brightness(look, np.array([0, 1, 4, 9])), [0, 0.5, 1, 1], atol=1e-6)


def test_lookup_tables_take_the_place_of_colours() -> None:
    markers = MarkerSet(name="m", channels=(ChannelLook(channel="A", high=255, lut="fire"),))
    levels = np.arange(256, dtype=np.uint8)[None]
    picture = render_fov_to_array(Fov("F", {"A": levels}), ExportSpec(markers=markers))
    np.testing.assert_array_equal(picture[0], table("fire"))


def test_neighbours_of_a_cell_can_be_hidden() -> None:
    labels = np.array([[1, 1, 2, 2]] * 4)
    fov = Fov("F", {"A": np.full((4, 4), 255)}, {"m": labels})
    spec = ExportSpec(markers=RED, isolate="m", background="#000080")
    named = render_crop_to_array(fov, spec, center_xy=(2.0, 2.0), size_px=4, label=2)
    hidden, shown = [0, 0, 128], [255, 0, 0]
    assert named.tolist() == [[hidden, hidden, shown, shown]] * 4
    at_the_centre = render_crop_to_array(fov, spec, center_xy=(2.9, 2.2), size_px=4)
    assert at_the_centre.tolist() == [[hidden, shown, shown]] * 4
    empty = Fov("F", {"A": np.full((4, 4), 255)}, {"m": np.zeros((4, 4), int)})
    with pytest.raises(ExportError, match="no object at 2, 2"):
        render_crop_to_array(empty, spec, center_xy=(2, 2), size_px=4)


def test_numbers_are_coloured_along_a_ramp_and_what_is_none_is_left() -> None:
    labels = np.array([[1, 2, 3, 4, 5]])
    ramp = Ramp(lut="gray", low=0, high=10, alpha=1)
    look = CellLook(mask="m", column="CD3", ramp=ramp, borders=False)
    paint = cell_paint(look, [1, 2, 3, 4, 5], [0, 5, 99, float("nan"), "x"])
    picture = render_fov_to_array(
        Fov("F", {}, {"m": labels}, paint=paint), ExportSpec(cells=look, background="#010203", image=False)
    )
    assert picture[0].tolist() == [[0] * 3, [128] * 3, [255] * 3, [1, 2, 3], [1, 2, 3]]


def test_a_ramp_can_be_of_the_arcsinh() -> None:
    ramp = Ramp(lut="gray", low=0, high=float(np.arcsinh(20)), cofactor=5, alpha=1)
    paint = cell_paint(CellLook(mask="m", column="c", ramp=ramp), [1, 2], [100, 0])
    assert paint.fill[1:].tolist() == [[1, 1, 1], [0, 0, 0]]


def test_classes_hidden_unknown_and_empty_are_told_apart() -> None:
    classes = (CellClass(value="1", color="red"), CellClass(value="2", color="blue", visible=False))
    default = CellClass(value="other", color="green", mode="outline")
    look = CellLook(mask="m", column="c", classes=classes, default=default)
    paint = cell_paint(look, [10, 20, 30, 40, 50, 0], [1.0, "2", "x", None, float("nan"), "1"])
    assert paint.labels.tolist() == [0, 10, 30]
    assert paint.outlined.tolist() == [False, False, True]
    assert cell_paint(look.model_copy(update={"default": None}), [10, 30], ["1", "x"]).labels.tolist() == [0, 10]


def test_cells_with_huge_numbers_are_coloured_too() -> None:
    labels = np.array([[0, 7, 3_000_000_000]], np.uint32)
    classes = (CellClass(value="a", color="red", alpha=1), CellClass(value="b", color="blue", alpha=1))
    look = CellLook(mask="m", column="c", classes=classes)
    for dtype in (np.uint32, np.uint64, np.int64):
        paint = cell_paint(look, [7, 3_000_000_000], ["a", "b"])
        fov = Fov("F", {}, {"m": labels.astype(dtype)}, paint=paint)
        picture = render_fov_to_array(fov, ExportSpec(cells=look))
        assert picture[0].tolist() == [[0, 0, 0], [255, 0, 0], [0, 0, 255]]
    small = Fov("F", {}, {"m": np.array([[-1, 7, 8, 2**63 - 1]])}, paint=cell_paint(look, [7], ["a"]))
    assert render_fov_to_array(small, ExportSpec(cells=look))[0, :, 0].tolist() == [0, 255, 0, 0]


def test_labels_and_values_must_be_as_many() -> None:
    with pytest.raises(InvalidRequestError, match="2 labels, but 1 values of 'c'"):
        cell_paint(CellLook(mask="m", column="c"), [1, 2], ["a"])
    with pytest.raises(MissingMaskError, match="no colours"):
        render_fov_to_array(fov_of(), ExportSpec(cells=CellLook(mask="whole_cell", column="c")))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 99))
def test_bounding_boxes_hold_their_objects_tightly(height: int, width: int, seed: int) -> None:
    labels = labels_of(height, width, seed)
    boxes = label_boxes(labels)
    assert list(boxes) == sorted({int(number) for number in np.unique(labels)} - {0})
    for number, box in boxes.items():
        rows, columns = np.nonzero(labels == number)
        assert box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_crops_around_a_box_have_a_margin_and_limits() -> None:
    box = Window(10, 20, 15, 40)
    assert around_box(box, 3) == (7, 17, 18, 43)
    assert around_box(box, smallest=8) == (8, 20, 16, 40)
    assert around_box(box, largest=10) == (10, 25, 15, 35)


def roi(**values: Any) -> Roi:
    return Roi(roi_id="r", fov="FOV1", **values)


def test_regions_are_rounded_away_from_their_middle_and_can_grow() -> None:
    edges = roi(x_min=3.2, x_max=9.1, y_min=4.9, y_max=8.0)
    assert of_roi(edges) == (3, 4, 10, 8)
    assert of_roi(edges, 100) == (-97, -96, 110, 108)
    assert of_roi(edges, -1) == (4, 5, 9, 7)
    with pytest.raises(OutsideImageError, match="nothing is left"):
        of_roi(edges, -2)
    whole = render_fov_to_array(fov_of(), ExportSpec(markers=IMMUNE))
    picture = render_roi_to_array(fov_of(), ExportSpec(markers=IMMUNE), roi=edges)
    np.testing.assert_array_equal(picture, whole[4:8, 3:10])


def test_a_shape_is_exported_as_the_rectangle_around_it() -> None:
    line = roi(shape=RoiShape(type="polyline", points=((20, 20), (40, 30))))
    assert of_roi(line) == (16, 16, 44, 34)
    polygon = roi(shape=RoiShape(points=((1, 1), (9.5, 1), (9.5, 9.5), (3, 7))))
    assert of_roi(polygon) == (1, 1, 10, 10)


LABELLED = {"markers": IMMUNE, "legend": Legend()}


def test_a_legend_has_the_names_of_channels_in_their_colours() -> None:
    figure = figure_of(fov_of(200, 300), ExportSpec(**LABELLED), Window(0, 0, 300, 200))
    assert [(mark.text, mark.color) for mark in figure.marks] == [  # type: ignore[union-attr]
        ("DAPI", "#7070ff"),  # blue and brown could not be read on black
        ("CD45", "#00ff00"),
        ("CD3", "#ffa500"),
        ("PanCK", "#c16d6d"),
    ]
    assert (flatten(figure)[100:] == figure.pixels[100:]).all()
    assert not (flatten(figure)[:100] == figure.pixels[:100]).all()


@pytest.mark.parametrize("place", ["below", "right"])
def test_a_legend_beside_the_picture_leaves_it_alone(place: Any) -> None:
    spec = ExportSpec(markers=IMMUNE, legend=Legend(place=place))
    picture = render_fov_to_array(fov_of(200, 300), spec)
    assert (picture.shape[0] > 200, picture.shape[1] > 300) == (place == "below", place == "right")
    np.testing.assert_array_equal(
        picture[:200, :300], render_fov_to_array(fov_of(200, 300), ExportSpec(markers=IMMUNE))
    )
    beside = picture[200:] if place == "below" else picture[:, 300:]
    colors = {tuple(color) for color in beside.reshape(-1, 3).tolist()}
    assert {(0, 0, 255), (0, 255, 0), (255, 165, 0), (165, 42, 42), (255, 255, 255)} <= colors


def test_classes_are_in_the_legend_and_the_ramp_has_a_colour_bar() -> None:
    classes = (CellClass(value="immune", color="red"), CellClass(value="secret", color="blue", visible=False))
    look = CellLook(mask="whole_cell", column="cluster", classes=classes)
    fov = fov_of(200, 300)
    painted = Fov(fov.name, fov.channels, fov.masks, paint=cell_paint(look, [1], ["immune"]))
    spec = ExportSpec(cells=look, legend=Legend())
    texts = [mark.text for mark in figure_of(painted, spec, Window(0, 0, 300, 200)).marks]  # type: ignore[union-attr]
    assert texts == ["immune"]
    ramped = CellLook(mask="whole_cell", column="CD3", ramp=Ramp(lut="fire", low=0, high=12.5))
    picture = render_fov_to_array(painted, ExportSpec(cells=ramped, color_bar=ColorBar()))
    assert picture.shape[0] == 200
    column = picture[60:, 300 + 8]
    assert column[-1].tolist() == table("fire")[0].tolist()
    assert column.sum(axis=1)[0] > column.sum(axis=1)[100]


def test_a_caption_is_written_below_and_wrapped() -> None:
    spec = ExportSpec(markers=IMMUNE, caption=Caption(template="{fov} {marker_set} {pixel_size_um} µm " + "word " * 20))
    fov = fov_of(100, 200, pixel_um=(0.5, 0.39))
    figure = figure_of(fov, spec, Window(0, 0, 200, 100))
    texts = [mark.text for mark in figure.marks]  # type: ignore[union-attr]
    assert texts[0].startswith("FOV1 Immune 0.39 µm")
    assert len(texts) >= 3
    picture = flatten(figure)
    assert picture.shape[1] == 200
    np.testing.assert_array_equal(picture[:100], figure.pixels)
    assert (picture[100:] < 100).any()
    with pytest.raises(InvalidRequestError, match=r"there is no {item_id}; there are fov"):
        figure_of(fov, spec.model_copy(update={"caption": Caption(template="{item_id}")}), Window(0, 0, 9, 9))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{fov}_{label:05d}", "A_00007"),
        ("{{x}} {x:.2f}", "{x} 1.50"),
        ("{nothing}-", "-"),
        ("plain", "plain"),
    ],
)
def test_templates_are_filled(template: str, expected: str) -> None:
    assert filled(template, {"fov": "A", "label": 7, "x": 1.5, "nothing": None}) == expected


@pytest.mark.parametrize(
    "template",
    ["{fov.__class__}", "{fov[0]}", "{fov!r}", "{other}", "{", "{fov:{label}}", "{label:99999999d}", "{}", "{fov:d}"],
)
def test_templates_reach_nothing_but_their_names(template: str) -> None:
    with pytest.raises(InvalidRequestError):
        filled(template, {"fov": "A", "label": 7})


def test_text_has_the_micro_sign_and_no_question_marks() -> None:
    assert not np.array_equal(text_mask("µ", 32), text_mask("?", 32))
    assert not np.array_equal(text_mask("µm", 32), text_mask("um", 32))
    assert text_mask("20 µm", 32).max() == 255
    assert text_mask("20 µm", 64).shape[0] == pytest.approx(2 * text_mask("20 µm", 32).shape[0], abs=2)
    np.testing.assert_array_equal(text_mask("a\n b", 20), text_mask("a b", 20))


def test_pictures_too_small_for_their_legend_say_so() -> None:
    figure = figure_of(fov_of(), ExportSpec(**LABELLED), Window(0, 0, 12, 12))
    assert not figure.marks
    assert "no legend" in figure.notes[0]


def test_the_density_on_paper_follows_the_size_of_the_figure() -> None:
    assert ExportSpec(dpi=150).print_dpi(600, 300) == 150
    assert ExportSpec(figure_size=(2, 2)).print_dpi(600, 300) == 300
    assert ExportSpec(figure_size=(2, 0.5)).print_dpi(600, 300) == 600


def test_a_choice_is_a_frozen_value_that_goes_through_json() -> None:
    spec = ExportSpec(markers=IMMUNE, scale_bar=ScaleBar(), masks=(MaskLook(mask="m"),))
    again = ExportSpec.model_validate_json(spec.model_dump_json())
    assert again == spec
    assert again.digest == spec.digest != ExportSpec(markers=IMMUNE).digest
    with pytest.raises(ValidationError, match="twice"):
        MarkerSet(name="m", channels=(ChannelLook(channel="A"), ChannelLook(channel="A")))
    with pytest.raises(ValidationError, match="not both"):
        CellLook(mask="m", column="c", ramp=Ramp(low=0, high=1), classes=(CellClass(value="a", color="red"),))
    with pytest.raises(ValidationError):
        ChannelLook(channel="A", color="no colour")


def test_nothing_asks_for_more_memory_than_there_is() -> None:
    assert text_mask("W" * 100_000, 200).nbytes < 100e6
    assert text_mask("W" * 100_000, 1000).nbytes < 100e6
    fov, spec = fov_of(), ExportSpec(markers=IMMUNE, pad=True)
    with pytest.raises(ExportError, match=r"1,000,000 x 1,000,000 pixels can only be written in tiles"):
        render_crop_to_array(fov, spec, center_xy=(5, 5), size_px=1_000_000)


def test_text_is_the_same_from_many_threads_at_once() -> None:
    wanted = [(f"{number} µm", 11 + number % 7) for number in range(600)]
    alone = [text_mask(*one).tobytes() for one in wanted]
    text._kept.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda one: text_mask(*one).tobytes(), wanted))
    assert together == alone
