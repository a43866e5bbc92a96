"""Scale bars are of true length: in numbers, and measured in the pixels that are drawn."""

import contextlib
import io
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from coverslip.errors import ScaleBarError
from coverslip.model.export import ExportSpec, ScaleBar
from coverslip.render.export import Fov, Window, encode_figure, figure_of, flatten, render_crop_to_array
from coverslip.render.scale_bar import Bar, bar_length, common_length, fixed_length, length_label

BAR_COLOR = "#fe01ab"


def measured(picture: np.ndarray[Any, Any], bar: Bar) -> int:
    """Return the length of the bar in pixels: the columns of its rows that have its very colour."""
    hit = (picture == np.array([0xFE, 0x01, 0xAB], np.uint8)).all(axis=2)
    columns = np.flatnonzero(hit[bar.y : bar.y + bar.thickness].all(axis=0))
    np.testing.assert_array_equal(columns, np.flatnonzero(hit[bar.y : bar.y + bar.thickness].any(axis=0)))
    assert len(columns) == columns[-1] - columns[0] + 1
    return len(columns)


@pytest.mark.parametrize(
    ("width", "length", "pixels"),
    [
        (64, 2, 5.13),
        (128, 2, 5.13),
        (256, 5, 12.82),
        (512, 10, 25.64),
        (1024, 20, 51.28),
        (2048, 50, 128.21),
        (4096, 100, 256.41),
        (20_000, 500, 1282.05),
    ],
)
def test_lengths_are_those_of_the_recorded_table(width: int, length: float, pixels: float) -> None:
    assert bar_length(width, 0.39) == length
    assert length / 0.39 == pytest.approx(pixels, abs=0.005)


@pytest.mark.parametrize(
    ("length", "label"),
    [
        (1e-3, "1 nm"),
        (0.05, "50 nm"),
        (0.5, "500 nm"),
        (1, "1 µm"),
        (20, "20 µm"),
        (2.5, "2.5 µm"),
        (500, "500 µm"),
        (1000, "1 mm"),
        (20_000, "20 mm"),
        (1e-6, "0.001 nm"),
    ],
)
def test_labels_have_the_unit_that_makes_them_short(length: float, label: str) -> None:
    assert length_label(length) == label


def test_a_length_that_fits_to_the_last_digit_fits() -> None:
    # 0.1 * 1000 * 0.2 is 20.000000000000004 and 0.1 * 300 * 0.1 is 3.0000000000000004 in floating point; 0.7 is below
    assert bar_length(1000, 0.2) == 20
    assert bar_length(700, 0.1 / 0.7, fraction=0.1) == 10


@given(st.integers(30, 100_000), st.floats(1e-4, 1e3), st.floats(0.05, 0.5))
def test_the_length_is_round_fits_and_the_next_one_does_not(width: int, pixel: float, fraction: float) -> None:
    if width * fraction < 2.5:
        return
    length = bar_length(width, pixel, fraction=fraction)
    digits = f"{length:.6e}"
    assert digits[0] in "125"
    assert set(digits[2:8]) == {"0"}
    room = width * pixel * fraction
    following = length * (2.5 if digits[0] == "2" else 2)
    assert length <= room * (1 + 1e-8) < following * (1 + 1e-7)


@pytest.mark.parametrize("size", [None, 0.0, -1.0, float("nan"), float("inf")])
def test_without_a_size_of_pixels_there_is_no_bar_and_a_reason(size: float | None) -> None:
    with pytest.raises(ScaleBarError, match="no scale bar"):
        bar_length(500, size)


def test_bars_that_cannot_be_seen_or_do_not_fit_are_refused() -> None:
    with pytest.raises(ScaleBarError, match="shorter than a pixel"):
        bar_length(6, 1.0)
    with pytest.raises(ScaleBarError, match="100 µm is longer than the picture, which is 50 µm wide"):
        fixed_length(100, 100, 0.5)
    with pytest.raises(ScaleBarError, match="shorter than a pixel"):
        fixed_length(0.1, 100, 0.5)


def test_one_length_for_all_is_that_of_the_narrowest() -> None:
    assert common_length([(1000, 0.5), (128, 0.5), (400, 0.5)]) == 5
    with pytest.raises(ScaleBarError, match="no picture"):
        common_length([])
    with pytest.raises(ScaleBarError, match="does not say"):
        common_length([(100, 0.5), (100, None)])


def fov(height: int, width: int, pixel_um: tuple[float, float] | None) -> Fov:
    return Fov("F", {}, {"m": np.zeros((height, width), np.uint8)}, pixel_um=pixel_um)


SPEC = ExportSpec(scale_bar=ScaleBar(color=BAR_COLOR))
CORNERS = st.sampled_from(["lower right", "lower left", "upper right", "upper left"])


@settings(max_examples=150, deadline=None)
@given(
    st.tuples(st.integers(20, 400), st.integers(40, 400)),
    st.tuples(st.floats(0.01, 50), st.floats(0.01, 50)),
    st.integers(1, 8),
    st.floats(1, 1200),
    CORNERS,
    st.tuples(st.sampled_from(["nearest", "area"]), st.booleans(), st.sampled_from(["png", "tiff", "ome-tiff"])),
)
def test_the_bar_in_a_file_has_its_true_length_within_half_a_pixel(
    size: tuple[int, int],
    pixel_um: tuple[float, float],
    downsample: int,
    dpi: float,
    corner: Any,
    how: tuple[Any, bool, Any],
) -> None:
    resampling, pad, form = how
    spec = SPEC.model_copy(
        update={
            "downsample": downsample,
            "dpi": dpi,
            "resampling": resampling,
            "pad": pad,
            "scale_bar": ScaleBar(color=BAR_COLOR, corner=corner),
        }
    )
    window = Window(-15, 3, size[1] - 7, size[0] + 9)
    field = fov(*size, pixel_um)
    if 0.1 * (size[1] + 8) / downsample < 2.5:  # the largest round length may be shorter than a pixel
        with contextlib.suppress(ScaleBarError):
            figure_of(field, spec, window)
        return
    figure = figure_of(field, spec, window)
    assert figure.bar is not None
    data = io.BytesIO(encode_figure(figure, form))
    picture = np.asarray(Image.open(data).convert("RGB")) if form == "png" else tifffile.imread(data)
    drawn = measured(picture, figure.bar)
    assert abs(drawn * pixel_um[1] * downsample - figure.bar.length_um) <= 0.5001 * pixel_um[1] * downsample
    assert figure.bar.length_um <= 0.1 * picture.shape[1] * pixel_um[1] * downsample * (1 + 1e-6)
    assert figure.bar.label == length_label(figure.bar.length_um)


@pytest.mark.parametrize("corner", ["lower right", "lower left", "upper right", "upper left"])
def test_the_bar_is_in_its_corner(corner: Any) -> None:
    spec = SPEC.model_copy(update={"scale_bar": ScaleBar(color=BAR_COLOR, corner=corner)})
    picture = flatten(figure_of(fov(200, 300, (0.5, 0.5)), spec, Window(0, 0, 300, 200)))
    rows, columns = np.nonzero(picture.any(axis=2))
    assert (rows.min() > 100) == corner.startswith("lower")
    assert (rows.max() < 100) == corner.startswith("upper")
    assert (columns.min() > 150) == corner.endswith("right")
    assert (columns.max() < 150) == corner.endswith("left")


def test_length_thickness_colours_and_label_can_be_chosen() -> None:
    bar = ScaleBar(color=BAR_COLOR, length_um=33.5, thickness=7, label=False, backing="#204060", backing_alpha=1)
    figure = figure_of(fov(200, 300, (0.5, 0.5)), SPEC.model_copy(update={"scale_bar": bar}), Window(0, 0, 300, 200))
    picture = flatten(figure)
    assert figure.bar is not None
    assert figure.bar.thickness == 7
    assert measured(picture, figure.bar) == 67
    assert {tuple(color) for color in np.unique(picture.reshape(-1, 3), axis=0).tolist()} == {
        (0, 0, 0),
        (0xFE, 0x01, 0xAB),
        (0x20, 0x40, 0x60),
    }


def test_pixels_away_from_the_bar_stay_as_they_are() -> None:
    random = np.random.default_rng(1)
    planes = {"A": random.integers(0, 255, (300, 300)).astype(np.uint8)}
    base = Fov("F", planes, {}, pixel_um=(0.5, 0.5))
    looks = {"markers": {"name": "m", "channels": [{"channel": "A", "high": 255}]}}
    bare = ExportSpec.model_validate(looks)
    barred = bare.model_copy(update={"scale_bar": ScaleBar()})
    without, with_bar = (render_crop_to_array(base, s, center_xy=(150, 150), size_px=200) for s in (bare, barred))
    np.testing.assert_array_equal(without[:150], with_bar[:150])
    np.testing.assert_array_equal(without[:, :100], with_bar[:, :100])
    assert (without != with_bar).any()


def test_an_unknown_size_of_pixels_fails_the_item_or_is_noted() -> None:
    unknown = fov(100, 100, None)
    with pytest.raises(ScaleBarError, match="does not say how large its pixels are") as caught:
        figure_of(unknown, SPEC, Window(0, 0, 100, 100))
    assert caught.value.recoverable
    lenient = SPEC.model_copy(update={"scale_bar": ScaleBar(refused="omit")})
    figure = figure_of(unknown, lenient, Window(0, 0, 100, 100))
    assert figure.bar is None
    assert not figure.marks
    assert "does not say" in figure.notes[0]


def test_a_label_that_has_no_room_is_left_out_and_noted() -> None:
    figure = figure_of(fov(5, 200, (0.5, 0.5)), SPEC, Window(0, 0, 200, 5))
    assert figure.bar is not None
    assert "no label" in figure.notes[0]
    assert measured(flatten(figure), figure.bar) == 20
