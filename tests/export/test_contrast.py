"""Channels that nobody gave limits of contrast: one contrast for the whole job, measured when it is planned."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from coverslip.export import Job
from coverslip.export.contrast import sampled
from coverslip.readers import open_image
from tests.export.making import pixels_of, write_plane, write_rois
from tests.export.making import roi as roi_row


@pytest.fixture
def fields(tmp_path: Path) -> Path:
    """Return two fields of view with ramps: pixels of the first are 500 to 1,499, those of the second twice that."""
    ramp = np.arange(500, 1500, dtype=np.uint16).reshape(25, 40)
    for number, name in enumerate(("A", "B"), 1):
        (tmp_path / "images" / name).mkdir(parents=True)
        write_plane(tmp_path / "images" / name / "DAPI.tiff", ramp * number)
    (tmp_path / "images" / ".UELer").mkdir()
    return tmp_path / "images"


def shown(pixels: NDArray[Any], low: float, high: float) -> NDArray[np.uint8]:
    grey = np.clip((pixels.astype(np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    levels: NDArray[np.uint8] = (grey * 255).astype(np.uint8)
    return levels


def limits(job: Job) -> list[tuple[float, float | None]]:
    return [(look.low, look.high) for spec in job.plan.specs for look in spec.markers.channels]


HIGH = float(np.percentile(np.arange(1000, 3000, 2), 99.9))
"""Of B, which is brighter; A is darkest: 500."""


@pytest.mark.parametrize(
    ("given", "low", "high"),
    [({}, 500.0, HIGH), ({"low": 0}, 0.0, HIGH), ({"low": 900.0}, 900.0, HIGH), ({"high": 2000}, 0.0, 2000.0)],
)
def test_a_channel_without_limits_has_those_of_the_whole_batch(
    fields: Path, tmp_path: Path, given: dict[str, float], low: float, high: float
) -> None:
    markers = {"name": "one", "channels": [{"channel": "DAPI", "color": "blue", **given}]}
    job = Job("fov", fields, markers, tmp_path / "out")
    assert limits(job) == [(low, high)]
    assert job.start().state == "completed"
    for name in "AB":
        plane = tifffile.imread(fields / name / "DAPI.tiff")
        np.testing.assert_array_equal(pixels_of(tmp_path / "out" / f"{name}.png")[..., 2], shown(plane, low, high))


def test_a_saved_marker_set_without_limits_is_measured_too(fields: Path, tmp_path: Path) -> None:
    saved = {"selected_channels": ["DAPI"], "channel_settings": {"DAPI": {"color": "Blue"}}}
    assert limits(Job("fov", fields, saved, tmp_path)) == [(500.0, HIGH)]


def test_each_image_may_have_a_contrast_of_its_own(fields: Path, tmp_path: Path) -> None:
    markers = {"name": "one", "channels": [{"channel": "DAPI"}]}
    job = Job("fov", fields, markers, tmp_path, overrides={"contrast": "image"})
    assert limits(job) == [(500.0, float(np.percentile(np.arange(500, 1500), 99.9))), (1000.0, HIGH)]


def test_regions_in_looks_of_their_own_share_the_contrast(fields: Path, tmp_path: Path) -> None:
    write_rois(fields, [roi_row("r", "A", (2, 12, 2, 12)), roi_row("s", "B", (2, 12, 2, 12))])
    items = {"data": fields, "overrides": {"r": {"downsample": 2}}}
    job = Job("rois", items, {"name": "one", "channels": [{"channel": "DAPI"}]}, tmp_path)
    assert limits(job) == [(500.0, HIGH)] * 2


def test_a_job_that_is_made_again_has_the_contrast_of_its_manifest(fields: Path, tmp_path: Path) -> None:
    markers = {"name": "one", "channels": [{"channel": "DAPI"}]}
    first = Job("fov", {"data": fields, "fovs": ["A"]}, markers, tmp_path / "out", overrides={"changed": "use"})
    first.start()
    write_plane(fields / "A" / "DAPI.tiff", np.full((25, 40), 60_000, np.uint16))
    (manifest,) = (tmp_path / "out").glob("manifest-*.json")
    again = Job.from_manifest(manifest, tmp_path / "again")
    assert limits(again) == limits(first)
    again.start()
    assert pixels_of(tmp_path / "again" / "A.png").min() == 255


def test_a_damaged_field_does_not_count(fields: Path, tmp_path: Path) -> None:
    (fields / "B" / "DAPI.tiff").write_bytes(b"II*\0damaged")
    markers = {"name": "one", "channels": [{"channel": "DAPI"}]}
    job = Job("fov", fields, markers, tmp_path / "out")
    assert [high for _, high in limits(job)] == [float(np.percentile(np.arange(500, 1500), 99.9))]
    assert job.start().state == "partial"


def test_a_large_plane_is_looked_at_in_parts_that_reach_all_edges(tmp_path: Path) -> None:
    pixels = np.zeros((3000, 3000), np.uint16)
    pixels[0, 0] = pixels[-1, -1] = 7
    pixels[1500, :] = 9
    tifffile.imwrite(tmp_path / "large.tif", pixels)
    with open_image(tmp_path / "large.tif") as file:
        name = file.images[0].metadata.channels[0].name
        found = sampled(file.images[0], name)
    assert found.size == (8 * 256) ** 2
    assert (found == 7).sum() == 2
