from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from coverslip.model import ImageMetadata, Level, Region
from coverslip.render import key_photo
from coverslip.render.key_photo import (
    cut_to_ratio,
    grey,
    middle,
    of_width,
    paint_mask,
    paint_points,
    project,
    radius_of,
    slab_of,
)

Array = np.ndarray[Any, np.dtype[Any]]
RED, GREEN = (255, 0, 0), (0, 255, 0)


@dataclass
class Volume:
    """A pyramid in memory that notes what is read of it."""

    levels: list[Array]
    boxes: list[tuple[int, Region]] = field(default_factory=list)

    @property
    def metadata(self) -> ImageMetadata:
        z, y, x = self.levels[0].shape
        sizes = [Level(size_z=one.shape[0], size_y=one.shape[1], size_x=one.shape[2]) for one in self.levels]
        dtype = str(self.levels[0].dtype)
        return ImageMetadata(name="v", file_format="X", size_z=z, size_y=y, size_x=x, dtype=dtype, levels=tuple(sizes))

    def read(self, level: int, region: Region) -> Array:
        self.boxes.append((level, region))
        box = region.resolve((1, 1, *self.levels[level].shape))
        return self.levels[level][None, None][tuple(slice(*span) for span in box.spans)]


@pytest.mark.parametrize(
    ("depth", "span"), [(500, (230, 270)), (501, (230, 270)), (41, (0, 40)), (40, (0, 40)), (7, (0, 7)), (1, (0, 1))]
)
def test_the_slab_is_the_middle_forty_slices_or_all(depth: int, span: tuple[int, int]) -> None:
    assert middle(depth) == span


def test_only_the_slab_is_read_in_bands_and_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_photo, "AT_ONCE", 4000)
    pixels = np.random.default_rng(1).normal(size=(100, 30, 20)).astype(np.float32)
    volume = Volume([pixels])
    found = project(volume)
    slab = slab_of(volume.metadata, np.zeros((*found.shape, 3), np.uint8))
    assert {box.z for _, box in volume.boxes} == {(30, 70)}
    assert [box.y for _, box in volume.boxes] == [(row, row + 5) for row in range(0, 30, 5)]
    np.testing.assert_allclose(found, pixels[30:70].astype(np.float64).mean(axis=0), rtol=1e-12)
    assert (slab.span, slab.scale, slab.size) == ((30, 70), 1.0, (30, 20))


def test_the_finest_level_that_fits_is_read() -> None:
    levels = [np.zeros((100 >> n, 64 >> n, 48 >> n), np.uint8) for n in range(3)]
    volume = Volume(levels)
    found = project(volume, largest=32)
    slab = slab_of(volume.metadata, np.zeros((*found.shape, 3), np.uint8))
    assert {(level, box.z) for level, box in volume.boxes} == {(1, (15, 35))}
    assert (slab.size, slab.scale, slab.span) == ((32, 24), 0.5, (30, 70))


def test_a_plane_that_is_too_large_is_averaged_down() -> None:
    pixels = np.arange(2 * 40 * 60, dtype=np.uint16).reshape(2, 40, 60)
    found = project(Volume([pixels]), largest=30)
    expected = pixels.mean(axis=0).reshape(20, 2, 30, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(found, expected)


def test_grey_shows_three_deviations_but_no_more_than_the_limits() -> None:
    pixels = np.array([[0.0, 2.0, 4.0, 6.0]])  # mean 3, deviation sqrt(5)
    assert grey(pixels, (0.0, 6.0))[0, :, 0].tolist() == [0, 85, 170, 255]
    low, high = 3 - 3 * 5**0.5, 3 + 3 * 5**0.5
    wide = grey(pixels, (-100.0, 100.0))[0, :, 0]
    assert wide.tolist() == [round(255 * (one - low) / (high - low)) for one in (0, 2, 4, 6)]


@pytest.mark.parametrize(("limits", "shade"), [((0.0, 10.0), 128), ((5.0, 5.0), 0)])
def test_grey_of_what_is_flat_or_was_not_measured(limits: tuple[float, float], shade: int) -> None:
    assert grey(np.array([[5.0, np.nan]]), limits).tolist() == [[[shade] * 3, [0, 0, 0]]]
    assert not grey(np.full((2, 2), np.nan), limits).any()


def test_a_circle_is_filled_and_has_a_white_edge_around_its_pixel() -> None:
    picture = np.full((40, 60, 3), 10, np.uint8)
    paint_points(picture, np.array([[30.2, 15.4]]), np.array([RED], np.uint8), 6.0)
    assert [picture[15, 30 + away].tolist() for away in (0, 5, 7, 8, 9)] == [
        [255, 0, 0],
        [255, 0, 0],
        [255, 255, 255],
        [10, 10, 10],
        [10, 10, 10],
    ]
    assert picture[15, 36].tolist() == picture[21, 30].tolist() == [255, 128, 128]  # half of the pixel is filling
    assert picture[15 - 7, 30].tolist() == picture[15, 30 - 7].tolist() == [255, 255, 255]


def test_edges_hide_no_filling_of_their_layer() -> None:
    picture = np.zeros((30, 40, 3), np.uint8)
    paint_points(picture, np.array([[12.0, 15.0], [20.0, 15.0]]), np.array([RED], np.uint8), 6.0)
    assert picture[15, 8:25].tolist() == [[255, 0, 0]] * 17


def test_each_point_may_have_a_colour_and_those_beside_the_picture_reach_into_it() -> None:
    picture = np.zeros((30, 60, 3), np.uint8)
    places = np.array([[10.0, 15.0], [40.0, 15.0], [-3.0, 5.0], [500.0, 5.0]])
    paint_points(picture, places, np.array([RED, GREEN, GREEN, RED], np.uint8), 5.0)
    assert picture[15, 10].tolist() == [255, 0, 0]
    assert picture[15, 40].tolist() == [0, 255, 0]
    assert picture[5, 0].tolist() == [0, 255, 0]
    assert not picture[:, 55:].any()


@pytest.mark.parametrize("places", [[], [[-50.0, 5.0]], [[5.0, 1e300]]])
def test_points_that_are_not_in_the_picture_change_nothing(places: list[list[float]]) -> None:
    picture = np.full((20, 20, 3), 7, np.uint8)
    paint_points(picture, np.array(places).reshape(-1, 2), np.array([RED], np.uint8), 3.0)
    assert (picture == 7).all()


def test_points_are_larger_in_larger_photos() -> None:
    assert [radius_of(size) for size in ((100, 200), (1500, 900), (4096, 10))] == [2.5, 10.0, 4096 / 150]


def test_a_mask_lets_the_picture_be_seen() -> None:
    picture = np.full((1, 4, 3), 100, np.uint8)
    paint_mask(picture, np.array([[0, 1, 2, 3]]), [(200, 0, 100), GREEN], alpha=0.25)
    assert picture[0].tolist() == [[100, 100, 100], [125, 75, 100], [75, 139, 75], [100, 100, 100]]


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [((100, 100), slice(12, 87), slice(0, 100)), ((90, 300), slice(0, 90), slice(90, 210))],
)
def test_the_middle_of_four_to_three_is_cut_out(size: tuple[int, int], rows: slice, columns: slice) -> None:
    picture = np.random.default_rng(2).integers(0, 255, (*size, 3), dtype=np.uint8)
    np.testing.assert_array_equal(cut_to_ratio(picture), picture[rows, columns])


def test_a_high_picture_is_turned_to_the_left() -> None:
    picture = np.zeros((400, 300, 3), np.uint8)
    picture[100, 299] = RED  # at the right becomes at the top
    found = cut_to_ratio(picture)
    assert found.shape == (300, 400, 3)
    assert found[0, 100].tolist() == [255, 0, 0]


@pytest.mark.parametrize(("width", "height"), [(134, 100), (512, 384), (1024, 768)])
def test_photos_have_their_width_whatever_the_size_of_the_tomogram(width: int, height: int) -> None:
    for factor in (60, 300):
        picture = np.full((3 * factor, 4 * factor, 3), 90, np.uint8)
        found = of_width(picture, width)
        assert found.shape == (height, width, 3)
        assert (found == 90).all()
