"""Regions on stitched maps, put together by hand for comparison."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from coverslip.catalog import Catalog
from coverslip.errors import ReadError
from coverslip.export import Job
from coverslip.export.maps import read_maps
from coverslip.export.mosaics import Mosaic, Placed
from coverslip.export.opened import OpenSource, Sources
from coverslip.export.sources import fields_of
from coverslip.export.stitched import MapPlane
from coverslip.model.exporting import ExportResult
from coverslip.readers import open_image
from tests.export.making import PIXEL_UM, SIZE, expected, mask, pixels_of, planes_of, roi, write_fields, write_rois

PLACES = {"A": (0, 0), "B": (70, 10), "C": (40, 35)}
"""Column and row of each field of view on the canvas: a gap between A and B, and C lies over both."""
CANVAS = (75, 130)


def entry(name: str, slide: object = "S1", um: float = PIXEL_UM, **more: object) -> dict[str, Any]:
    x, y = PLACES[name]
    height, width = SIZE
    center = {"x": 1000 + (x + width / 2) * PIXEL_UM, "y": -500 + (y + height / 2) * PIXEL_UM}
    sizes = {"frameSizePixels": {"width": width, "height": height}, "fovSizeMicrons": width * um}
    return {"name": name, "slideId": slide, "centerPointMicrons": center, **sizes, **more}


def write_map(images: Path, fovs: Sequence[Mapping[str, Any]], name: str = "one/map.json") -> Path:
    path = images / ".UELer" / "maps" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"exportDateTime": "2026-01-01", "fovs": list(fovs)}))
    return path


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = write_fields(tmp_path / "data", names=("A", "B", "C"))
    write_map(folder, [entry(name) for name in PLACES])
    return folder


def canvas(planes: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    out = np.zeros(CANVAS, next(iter(planes.values())).dtype)
    for name, (x, y) in PLACES.items():
        out[y : y + SIZE[0], x : x + SIZE[1]] = planes[name]
    return out


def stitched() -> dict[str, NDArray[Any]]:
    fields = {name: planes_of(n) for n, name in enumerate(PLACES)}
    return {one: canvas({name: planes[one] for name, planes in fields.items()}) for one in ("DNA", "CD3")}


def on_map(name: str, box: tuple[float, float, float, float], map_id: str = "S1", **more: object) -> dict[str, object]:
    return {**roi(name, "", box), "map_id": map_id, **more}


def results(job: Job) -> dict[str, ExportResult]:
    return {one.item_id: one for one in job.results()}


@pytest.mark.parametrize("step", [1, 3])
def test_regions_are_put_together_from_the_fields_of_view_they_touch(images: Path, tmp_path: Path, step: int) -> None:
    boxes = {"all": (0, 130, 0, 75), "seam": (35, 95, 20, 60), "edge": (100, 160, -10, 30)}
    write_rois(images, [on_map(name, box) for name, box in boxes.items()])
    job = Job("rois", images, "Two", tmp_path, "png", {"downsample": step})
    assert job.start().state == "completed", job.results()
    for name, (x0, x1, y0, y1) in boxes.items():
        window = max(0, x0), max(0, y0), min(130, x1), min(75, y1)
        right = expected(stitched(), ("DNA", "CD3"), window, step)
        np.testing.assert_array_equal(pixels_of(tmp_path / f"S1_roi_{name}.png"), right)


def test_masks_and_pixels_as_they_are_are_put_together_too(images: Path, tmp_path: Path) -> None:
    write_rois(images, [on_map("r", (30, 110, 5, 70))])
    job = Job("rois", images, "Two", tmp_path, "ome-zarr", {"masks": "whole_cell"})
    assert job.start().state == "completed", job.results()
    group: Any = zarr.open_group(str(tmp_path / "S1_roi_r.ome.zarr"), mode="r")
    np.testing.assert_array_equal(group["0"][0, 0, 0], stitched()["DNA"][5:70, 30:110])
    np.testing.assert_array_equal(
        group["labels/whole_cell/0"][0, 0, 0], canvas(dict.fromkeys(PLACES, mask()))[5:70, 30:110]
    )
    said = group.attrs["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"]
    assert said[3:] == [PIXEL_UM, PIXEL_UM]


@pytest.mark.parametrize("step", [1, 4])
def test_the_scale_bar_of_a_map_counts_the_downsampling_once(images: Path, tmp_path: Path, step: int) -> None:
    write_rois(images, [on_map("r", (0, 128, 0, 75))])
    bar = {"length_um": 8, "label": False, "color": "#ff00ff", "thickness": 2}
    job = Job("rois", images, "Two", tmp_path, "png", {"downsample": step, "scale_bar": bar})
    assert job.start().state == "completed", job.results()
    found = pixels_of(tmp_path / "S1_roi_r.png")
    drawn = (found == [255, 0, 255]).all(axis=-1)
    assert drawn.any(axis=0).sum() == 16 / step


def test_regions_of_fields_of_view_and_of_maps_are_exported_together(images: Path, tmp_path: Path) -> None:
    write_rois(images, [on_map("m", (0, 20, 0, 20)), roi("f", "B", (0, 20, 0, 20))])
    job = Job("rois", images, "Two", tmp_path)
    assert job.start().state == "completed", job.results()
    assert [one.path for one in job.results()] == ["B_roi_f.png", "S1_roi_m.png"]


@pytest.mark.parametrize(
    ("box", "map_id", "error", "words"),
    [
        ((200, 250, 0, 40), "S1", "OutsideImageError", "outside all fields of view of map 'S1'"),
        ((62, 68, 0, 30), "S1", "OutsideImageError", "outside all fields of view"),  # the gap
        ((10, 10, 0, 30), "S1", "OutsideImageError", "no area"),
        ((0, 30, 0, 30), "S2", "MissingFieldError", "map 'S2', which is not there; there are: S1"),
        ((80, 120, 0, 30), "S1", "MissingFieldError", "touches field of view 'B', which is not there"),
    ],
)
def test_a_region_that_cannot_be_shown_whole_fails_with_its_class_and_the_others_do_not(
    images: Path, tmp_path: Path, box: tuple[float, float, float, float], map_id: str, error: str, words: str
) -> None:
    (images / "B").rename(tmp_path / "away")
    write_rois(images, [on_map("bad", box, map_id), on_map("good", (0, 30, 0, 30))])
    job = Job("rois", images, "Two", tmp_path / "out")
    dry = [one.problem for one in job.dry_run().files if one.problem]
    assert len(dry) == 1
    assert job.start().state == "partial"
    failed = results(job)[f"{map_id} bad"]
    assert (failed.ok, failed.error_type) == (False, error)
    assert words in (failed.message or "")
    assert dry[0].startswith(error)
    right = expected(planes_of(0), ("DNA", "CD3"), (0, 0, 30, 30))
    np.testing.assert_array_equal(pixels_of(tmp_path / "out" / "S1_roi_good.png"), right)


def test_a_damaged_field_of_view_fails_only_the_regions_that_touch_it(images: Path, tmp_path: Path) -> None:
    path = images / "B" / "CD3.tiff"
    path.write_bytes(path.read_bytes()[:300])
    write_rois(images, [on_map("touches", (80, 120, 12, 30)), on_map("not", (0, 30, 0, 30))])
    job = Job("rois", images, "Two", tmp_path / "out")
    assert job.start().state == "partial"
    assert not results(job)["S1 touches"].ok
    assert results(job)["S1 not"].ok


def test_a_channel_that_one_field_of_view_does_not_have_fails_its_regions(images: Path, tmp_path: Path) -> None:
    (images / "B" / "CD3.tiff").unlink()
    write_rois(images, [on_map("touches", (80, 120, 12, 30)), on_map("not", (0, 30, 0, 30))])
    job = Job("rois", images, "Two", tmp_path / "out")
    assert job.start().state == "partial"
    assert results(job)["S1 touches"].error_type == "MissingChannelError"
    assert "'B', which is part of a map" in (results(job)["S1 touches"].message or "")


def test_a_field_of_view_of_another_size_than_its_place_fails_its_regions(images: Path, tmp_path: Path) -> None:
    wrong = entry("B")
    wrong["frameSizePixels"] = {"width": 60, "height": 50}
    write_map(images, [entry("A"), wrong])
    write_rois(images, [on_map("r", (80, 120, 12, 30))])
    job = Job("rois", images, "Two", tmp_path / "out")
    assert job.start().state == "failed"
    assert "60 x 40 pixels, its place on the map 60 x 50" in (job.results()[0].message or "")


def test_a_map_stays_as_it_was_planned(images: Path, tmp_path: Path) -> None:
    write_rois(images, [on_map("r", (35, 95, 20, 60)), on_map("s", (0, 10, 0, 10))])
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}", versions={}) as catalog:
        job = Job("rois", images, "Two", tmp_path / "out", catalog=catalog)
        assert job.status().total == 2
        kept = Job.kept(job.id, catalog)
        assert kept.start().state == "completed", kept.results()
    right = expected(stitched(), ("DNA", "CD3"), (35, 20, 95, 60))
    np.testing.assert_array_equal(pixels_of(tmp_path / "out" / "S1_roi_r.png"), right)
    (manifest,) = (tmp_path / "out").glob("manifest-*.json")
    write_map(images, [entry("A")])
    again = Job.from_manifest(manifest, tmp_path / "again")
    assert again.start().state == "failed"
    assert {one.error_type for one in again.results()} == {"SourceChangedError"}  # the descriptor is another one


@pytest.mark.parametrize(
    ("fovs", "words"),
    [
        ([entry("A", rotation=90)], "has rotation"),
        ([entry("A", centerPointPixels={"x": 1, "y": 1})], "has centerPointPixels"),
        ([entry("A"), entry("B", um=0.6)], "the pixels of 'B' have 0.6"),
        ([{**entry("A"), "fovSizeMicrons": 0}], "no place or size"),
        ([{**entry("A"), "centerPointMicrons": {"x": float("nan"), "y": 0}}], "no place or size"),
        ([{**entry("A"), "frameSizePixels": {"width": 10**12, "height": 4}}], "no place or size"),
        ([entry("A"), {**entry("B"), "centerPointMicrons": {"x": 1e15, "y": 0}}], "pixels"),
        ([{**entry("A"), "name": ""}], "has the name ''"),
        ([{"name": "A"}], "there is no 'slideId'"),
        ([], "1 to 100,000 fields of view"),
        (["A"], "no descriptor"),
    ],
)
def test_descriptors_that_cannot_be_followed_are_refused_as_a_whole(
    tmp_path: Path, fovs: list[Any], words: str
) -> None:
    path = write_map(tmp_path, fovs)
    with pytest.raises(ReadError, match=words.replace("(", r"\(")):
        read_maps(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"fovs": 3}', "[" * 100_000, '{"fovs": [null]}'])
def test_what_is_no_descriptor_is_a_typed_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.json"
    path.write_text(text)
    with pytest.raises(ReadError):
        read_maps(path)


def test_a_refused_descriptor_is_named_by_the_regions_that_want_its_map(images: Path, tmp_path: Path) -> None:
    write_map(images, [entry("A", slide="S9", rotation=3)], "two.json")
    write_map(images, [entry("C")], "three.json")  # a second S1
    write_rois(images, [on_map("r", (0, 9, 0, 9), "S9"), on_map("s", (0, 9, 0, 9))])
    job = Job("rois", images, "Two", tmp_path / "out")
    assert job.start().state == "failed"
    assert "two.json" in (results(job)["S9 r"].message or "")
    assert "the map 'S1' is in" in (results(job)["S1 s"].message or "")


def test_a_file_may_have_several_slides_and_sizes_in_two_directions(tmp_path: Path) -> None:
    both = {**entry("B", slide=7), "fovSizeMicrons": {"width": 30, "height": 20}}
    one, two = read_maps(write_map(tmp_path, [entry("A"), both, entry("C")]))
    assert [(tile.fov, tile.x, tile.y) for tile in one.tiles] == [("A", 0, 0), ("C", 40, 35)]
    assert (one.width, one.height, one.pixel_um) == (100, 75, 0.5)
    assert (two.map_id, two.number, two.tiles[0].x) == ("7", 1, 0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=4),
    st.tuples(st.integers(-5, 80), st.integers(-5, 80), st.integers(1, 7)),
    st.tuples(st.integers(-5, 100), st.integers(-5, 100), st.integers(1, 7)),
)
def test_any_part_of_a_map_is_that_part_of_the_whole(
    map_fields: Path,
    places: list[tuple[int, int]],
    rows: tuple[int, int, int],
    columns: tuple[int, int, int],
) -> None:
    names = "ABCD"[: len(places)]
    sources = {one.fov: one for one in fields_of(map_fields)}
    tiles = tuple(
        Placed(name, sources[name].path, 0, x, y, SIZE[1], SIZE[0]) for name, (x, y) in zip(names, places, strict=True)
    )
    mosaic = Mosaic(tiles, 100, 80, 0.5, ("DNA",), (), "uint16")
    whole = np.zeros((80, 100), np.uint16)
    for number, (x, y) in enumerate(places):
        whole[y : y + SIZE[0], x : x + SIZE[1]] = planes_of(number)["DNA"]
    opened: Sources[OpenSource] = Sources(lambda one: OpenSource(one, open_image))
    plane = MapPlane("m", mosaic, opened, lambda one: one.channels["DNA"], np.dtype(np.uint16))
    key = slice(max(0, rows[0]), max(0, rows[1]), rows[2]), slice(max(0, columns[0]), max(0, columns[1]), columns[2])
    np.testing.assert_array_equal(plane[key], whole[key])
    opened.close()


@pytest.fixture(scope="module")
def map_fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_fields(tmp_path_factory.mktemp("fields"), names=tuple("ABCD"))
