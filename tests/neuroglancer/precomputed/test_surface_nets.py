"""Surfaces of labels: by hand, and by what trimesh says of them."""

from typing import Any

import numpy as np
import pytest
import trimesh

from coverslip.errors import InvalidRequestError
from coverslip.neuroglancer.precomputed import surfaces
from tests.ngff.images import Array, ArrayImage


def volume(pixels: Array) -> ArrayImage:
    return ArrayImage(pixels[None, None])


def solid(one: Any) -> Any:
    return trimesh.Trimesh(one.vertices, one.faces, process=False)


def ball(size: int, radius: float) -> Array:
    z, y, x = np.mgrid[:size, :size, :size] - (size - 1) / 2
    inside: Array = z**2 + y**2 + x**2 < radius**2
    return inside


def test_one_voxel_has_eight_corners_and_twelve_triangles() -> None:
    labels = np.zeros((5, 6, 7), np.uint8)
    labels[1, 2, 3] = 9
    (one,) = surfaces(volume(labels), voxel_size=10).values()
    # each corner is the mean of the middles of three sides: half a voxel from them, a third of it towards each
    offsets = sorted(map(tuple, np.round((one.vertices / 10 - [3.5, 2.5, 1.5]) * 6).astype(int).tolist()))
    assert offsets == sorted((x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1))
    assert one.faces.shape == (12, 3)
    assert solid(one).is_watertight
    assert solid(one).volume == pytest.approx((10 / 3) ** 3)


def test_a_bar_of_uneven_voxels_is_where_it_is() -> None:
    labels = np.zeros((20, 20, 20), np.uint16)
    labels[4:14, 2:12, 6:16] = 1
    (one,) = surfaces(volume(labels), voxel_size=[1, 2, 5]).values()
    np.testing.assert_allclose(one.vertices.min(axis=0), np.array([6, 2, 4]) * [1, 2, 5], atol=5 / 2)
    assert solid(one).is_watertight
    assert solid(one).is_winding_consistent
    np.testing.assert_allclose(solid(one).centroid, np.array([11, 7, 9]) * [1, 2, 5])
    assert solid(one).volume == pytest.approx(1000 * 10, rel=0.03)


@pytest.mark.parametrize("size", [31, 32, 33, 70])
def test_a_ball_is_closed_and_as_large_as_it_is(size: int) -> None:
    labels = ball(size, 14.5).astype(np.int8)
    (one,) = surfaces(volume(labels), voxel_size=1).values()
    assert solid(one).is_watertight
    assert solid(one).is_winding_consistent
    assert solid(one).volume == pytest.approx(labels.sum(), rel=0.02)
    distances = np.linalg.norm(one.vertices - size / 2, axis=1)
    assert abs(distances - 14.5).max() < 1


def test_a_large_volume_is_looked_at_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    labels = ball(40, 14.5).astype(np.int8)
    (whole,) = surfaces(volume(labels), voxel_size=1).values()
    monkeypatch.setattr("coverslip.neuroglancer.precomputed.surface_nets.HELD_VOXELS", 1)
    (parts,) = surfaces(volume(labels), voxel_size=1).values()
    np.testing.assert_array_equal(parts.vertices, whole.vertices)
    assert sorted(parts.faces.tolist()) == sorted(whole.faces.tolist())


def test_what_touches_the_sides_is_closed_there() -> None:
    (one,) = surfaces(volume(np.ones((33, 5, 6), np.uint8)), voxel_size=1).values()
    assert solid(one).is_watertight
    assert one.vertices.min() >= 0
    assert (one.vertices.max(axis=0) <= [6, 5, 33]).all()


def test_labels_that_touch_are_closed_each() -> None:
    labels = np.zeros((40, 20, 20), np.uint32)
    labels[2:35, 5:10, 5:15] = 4_000_000_000
    labels[2:35, 10:15, 5:15] = 1
    found = surfaces(volume(labels), voxel_size=1)
    assert sorted(found) == [1, 4_000_000_000]
    for one in found.values():
        assert solid(one).is_watertight
        assert solid(one).volume == pytest.approx(33 * 5 * 10, rel=0.1)
    assert sorted(surfaces(volume(labels), voxel_size=1, labels=[1, 7])) == [1]


def test_nothing_has_no_surface() -> None:
    assert surfaces(volume(np.zeros((3, 4, 5), np.uint8)), voxel_size=1) == {}


def test_a_surface_that_is_too_large_is_made_coarser() -> None:
    labels = ball(64, 30).astype(np.uint8)
    (fine,) = surfaces(volume(labels), voxel_size=2).values()
    (coarse,) = surfaces(volume(labels), voxel_size=2, most_quads=len(fine.faces) // 4).values()
    assert len(coarse.faces) < len(fine.faces) / 3
    assert solid(coarse).is_watertight
    assert solid(coarse).volume == pytest.approx(solid(fine).volume, rel=0.1)


def test_noise_has_every_side_twice() -> None:
    labels = np.random.default_rng(0).integers(0, 3, (20, 21, 40)).astype(np.uint8)
    for one in surfaces(volume(labels), voxel_size=1).values():
        sides = np.sort(one.faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        assert (np.unique(sides, axis=0, return_counts=True)[1] % 2 == 0).all()


@pytest.mark.parametrize(
    ("arguments", "words"), [({"voxel_size": 0}, "voxel size"), ({"voxel_size": 1, "most_quads": 0}, "at least one")]
)
def test_what_makes_no_sense_is_said(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequestError, match=words):
        surfaces(volume(np.ones((3, 3, 3), np.uint8)), **arguments)
