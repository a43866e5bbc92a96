"""The size of a pixel that somebody states: for images that do not say it, and for all only where that is forced."""

import json
from pathlib import Path
from typing import Any

import pytest

from coverslip.errors import InvalidRequestError
from coverslip.export import Job
from tests.export.making import pixels_of, write_fields


def details(job: Job) -> dict[str, Any]:
    (result,) = job.results()
    return result.details


@pytest.mark.parametrize(
    ("in_file", "choices", "pixels"),
    [
        # 5 µm; the fields are 60 pixels wide
        (0.0, {"pixel_um": 0.25}, 20),
        (0.5, {"pixel_um": 0.25}, 10),
        (0.5, {"pixel_um": 0.25, "force_pixel_um": True}, 20),
        (0.0, {"pixel_um": 0.25, "downsample": 2}, 10),
    ],
)
def test_a_stated_size_makes_the_bar_of_images_that_say_none(
    tmp_path: Path, in_file: float, choices: dict[str, Any], pixels: int
) -> None:
    images = write_fields(tmp_path / "data", ("A",), um=in_file)
    bar = {"length_um": 5, "color": "#ff00ff", "label": False}
    markers = {"name": "none", "channels": []}
    job = Job("fov", images, markers, tmp_path / "out", overrides={"scale_bar": bar, **choices})
    assert job.dry_run().is_sound
    job.start()
    picture = pixels_of(tmp_path / "out" / "A.png")
    is_bar = (picture == (255, 0, 255)).all(axis=2)
    assert is_bar.any(axis=0).sum() == pixels
    assert details(job)["scale_bar_um"] == 5


def test_without_it_the_refusal_says_how_to_state_it(tmp_path: Path) -> None:
    images = write_fields(tmp_path / "data", ("A",), um=0)
    job = Job("fov", images, "Two", tmp_path / "out", overrides={"scale_bar": True})
    (problem,) = [one.problem for one in job.dry_run().failing]
    assert problem is not None
    assert "--pixel-size, pixel_um" in problem
    job.start()
    (result,) = job.results()
    assert result.message is not None
    assert "--pixel-size, pixel_um" in result.message


def test_it_is_in_the_manifest_and_counts_again(tmp_path: Path) -> None:
    images = write_fields(tmp_path / "data", ("A",), um=0)
    items = {"data": images, "ids": ["A:2"], "size": 5, "unit": "um", "pixel_um": 0.25}
    job = Job("cells", items, "Two", tmp_path / "out", overrides={"scale_bar": True})
    job.start()
    assert details(job)["width"] == 20
    (manifest,) = (tmp_path / "out").glob("manifest-*.json")
    text = manifest.read_text("utf-8")
    assert json.loads(text)["sources"][0]["pixel_um"] == 0.25
    again = Job.from_manifest(manifest, tmp_path / "again")
    again.start()
    (first,), (second,) = job.results(), again.results()
    assert first.checksum == second.checksum


def test_a_file_of_its_own_pixels_says_the_stated_size(tmp_path: Path) -> None:
    images = write_fields(tmp_path / "data", ("A",), um=0)
    Job("fov", {"data": images, "pixel_um": 0.25}, "Two", tmp_path, "ome-zarr").start()
    document = json.loads((tmp_path / "A.ome.zarr" / "zarr.json").read_text())
    (multiscale,) = document["attributes"]["ome"]["multiscales"]
    (scale,) = multiscale["datasets"][0]["coordinateTransformations"]
    assert scale["scale"][-2:] == [0.25, 0.25]


@pytest.mark.parametrize("choices", [{"pixel_um": 0}, {"pixel_um": -1}, {"force_pixel_um": True}])
def test_what_is_no_size_is_refused(tmp_path: Path, choices: dict[str, Any]) -> None:
    images = write_fields(tmp_path / "data", ("A",))
    with pytest.raises(InvalidRequestError, match="pixel_um"):
        Job("fov", images, "Two", tmp_path, overrides=choices)
