"""The simulated microscope behaves like one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.demo import optics
from coverslip.demo.filaments import splat, walk
from coverslip.demo.texture import Oval, depth, fill, nearest_label, scatter, streaks


def test_the_camera_has_offset_gain_and_shot_noise() -> None:
    random = np.random.default_rng(0)
    for photons in (0.0, 20.0, 400.0):
        levels = optics.camera(np.full((400, 400), photons, np.float32), random, offset=100, gain=2, read_noise=3)
        assert levels.dtype == np.uint16
        assert levels.mean() == pytest.approx(100 + 2 * photons, abs=0.2)
        assert levels.var() == pytest.approx(4 * (photons + 9), rel=0.03)


def test_light_is_spread_further_along_z_than_in_the_plane_and_not_lost() -> None:
    volume = np.zeros((41, 41, 41), np.float32)
    volume[20, 20, 20] = 1000
    seen = optics.widefield(volume, sigma_xy=1.0, sigma_z=3.0, haze=0.0)
    assert seen.sum() == pytest.approx(1000, rel=0.01)
    assert seen[23, 20, 20] > 3 * seen[20, 23, 20]
    hazy = optics.widefield(volume, sigma_xy=1.0, sigma_z=3.0, haze=0.5)
    assert hazy[20, 20, 20] < 0.6 * seen[20, 20, 20]
    assert hazy[20, 35, 20] > 10 * abs(seen[20, 35, 20])


@given(st.floats(1, 30), st.integers(20, 90), st.integers(20, 90))
def test_smooth_noise_has_mean_0_deviation_1_and_the_shape_asked_for(sigma: float, rows: int, columns: int) -> None:
    values = optics.noise((2, rows, columns), sigma, np.random.default_rng(1))
    assert values.shape == (2, rows, columns)
    assert values.mean() == pytest.approx(0, abs=1e-3)
    assert values.std() == pytest.approx(1, abs=1e-3)


def test_the_field_is_darker_in_the_corners() -> None:
    light = optics.shading((100, 100), np.random.default_rng(2), 0.3)
    corners = light[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert light.max() <= 1
    assert 0.5 < corners.min() < corners.max() < light[50, 50]


@given(st.floats(1, 7.99), st.floats(1, 7.99), st.floats(1, 7.99), st.floats(0.1, 9))
def test_a_point_gives_all_its_light_to_the_voxels_around_it(z: float, y: float, x: float, light: float) -> None:
    volume = np.zeros((10, 10, 10), np.float32)
    splat(volume, np.array([z]), np.array([[y, x]]), light)
    assert volume.sum() == pytest.approx(light, rel=1e-4)
    center = (np.indices(volume.shape) * volume).sum(axis=(1, 2, 3)) / volume.sum()
    assert center == pytest.approx([z, y, x], abs=0.01)
    assert np.count_nonzero(volume) <= 8


def test_points_outside_the_volume_are_left_out() -> None:
    volume = np.zeros((4, 5, 6), np.float32)
    splat(volume, np.array([-1.0, 1.0, 9.0]), np.array([[1.0, 1.0], [1.0, 40.0], [1.0, 1.0]]), 1.0)
    assert not volume.any()


def test_filaments_are_continuous() -> None:
    random = np.random.default_rng(3)
    paths = walk(
        np.zeros((20, 2)),
        np.linspace(0, 6, 20, dtype=np.float32),
        50,
        random,
        step=1.5,
        steer=lambda place: 0.1 - 0 * place,
    )
    np.testing.assert_allclose(np.linalg.norm(np.diff(paths, axis=0), axis=-1), 1.5, rtol=1e-4)


def test_scattered_points_keep_their_distance_and_stay_where_they_may_be() -> None:
    spacing = np.zeros((200, 200), np.float32)
    spacing[:, :100] = 12
    points = scatter(spacing, 4000, np.random.default_rng(4))
    gaps = np.linalg.norm(points[:, None] - points[None], axis=-1) + np.eye(len(points)) * 99
    assert len(points) > 60
    assert gaps.min() > 10.5
    assert points[:, 1].max() < 100


def test_fibres_are_long_in_their_direction() -> None:
    grain = np.random.default_rng(5).standard_normal((120, 120)).astype(np.float32)
    fibres = streaks(grain, np.zeros_like(grain), 10)
    along = np.corrcoef(fibres[:, :-6].ravel(), fibres[:, 6:].ravel())[0, 1]
    across = np.corrcoef(fibres[:-6].ravel(), fibres[6:].ravel())[0, 1]
    assert along > 0.5
    assert abs(across) < 0.2


def test_labels_grow_to_the_nearest_and_know_their_depth() -> None:
    labels = np.zeros((40, 60), np.int32)
    fill(labels, [Oval(20, 15, 8, 8, 0), Oval(20, 45, 8, 8, 0)], [3, 7])
    near, distance = nearest_label(labels)
    assert set(np.unique(near)) == {3, 7}
    assert np.all(near[:, :29] == 3)
    assert np.all(near[:, 31:] == 7)
    assert distance[20, 15] == 0
    inside = depth(labels)
    assert inside[20, 15] == pytest.approx(8, abs=1.5)
    assert not inside[labels == 0].any()
