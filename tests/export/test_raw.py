"""Pixels as they are, in folders of OME-Zarr and in TIFFs, decoded by other libraries."""

import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr_models.v04.image import Image as ImageV04
from ome_zarr_models.v05.image import Image as ImageV05

from coverslip.catalog import Catalog
from coverslip.errors import ConflictError
from coverslip.export import Job
from coverslip.export.opened import Plane
from coverslip.export.writing import digest
from coverslip.model.exporting import ExportResult
from coverslip.readers import open_image
from tests.export.making import PIXEL_UM, mask, planes_of, write_fields, write_plane
from tests.export.test_pictures import MODES, box_of, items_of
from tests.services.disk import CannotMountError, small_disk

WITH_MASK = {"masks": "whole_cell"}


def export(mode: Any, images: Path, out: Path, form: str, **overrides: Any) -> tuple[Path, Job]:
    job = Job(mode, items_of(mode, images), "Two", out, form, overrides)
    assert job.start().state == "completed", job.results()
    return out / job.results()[0].path, job


@pytest.mark.parametrize("version", ["0.4", "0.5"])
@pytest.mark.parametrize("mode", MODES)
def test_a_folder_of_ome_zarr_holds_the_very_pixels_with_names_size_and_contrast(
    images: Path, tmp_path: Path, mode: Any, version: str
) -> None:
    path, job = export(mode, images, tmp_path / "out", "ome-zarr", zarr_version=version, **WITH_MASK)
    assert path.name.endswith(".ome.zarr")
    group = zarr.open_group(str(path), mode="r")
    (ImageV04 if version == "0.4" else ImageV05).from_zarr(group)
    x0, y0, x1, y1 = box_of(mode) or (0, 0, 60, 40)
    found: Any = group["0"]
    assert found.dtype == np.uint16
    planes = planes_of(1)
    for number, name in enumerate(("DNA", "CD3")):
        np.testing.assert_array_equal(found[0, number, 0], planes[name][y0:y1, x0:x1])
    labels: Any = group["labels/whole_cell/0"]
    np.testing.assert_array_equal(labels[0, 0, 0], mask()[y0:y1, x0:x1])
    said: Any = group.attrs["ome"] if version == "0.5" else dict(group.attrs)
    assert [one["label"] for one in said["omero"]["channels"]] == ["DNA", "CD3"]
    assert [one["color"] for one in said["omero"]["channels"]] == ["0000FF", "00FF00"]
    windows = [one["window"] for one in said["omero"]["channels"]]
    assert [(one["start"], one["end"]) for one in windows] == [(100, 900), (50, 450)]
    (multiscale,) = said["multiscales"]
    assert [axis.get("unit") for axis in multiscale["axes"][3:]] == ["micrometer"] * 2
    assert multiscale["datasets"][0]["coordinateTransformations"][0]["scale"][3:] == [PIXEL_UM, PIXEL_UM]
    provenance: Any = group.attrs["coverslip"]
    assert provenance["Region"] == f"{x0}:{x1}, {y0}:{y1}"
    assert job.results()[0].details["channels"] == 2


def test_large_fields_have_smaller_levels_that_are_means(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "Big"
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(5).integers(0, 60_000, (600, 700), np.uint16)
    write_plane(folder / "DNA.tiff", pixels)
    markers = {"name": "one", "channels": [{"channel": "DNA", "color": "red"}]}
    job = Job("fov", folder, markers, tmp_path / "out", "zarr")
    assert job.start().state == "completed", job.results()
    group = zarr.open_group(str(tmp_path / "out" / "Big.ome.zarr"), mode="r")
    levels: list[Any] = [group[str(n)] for n in range(3)]
    assert [one.shape[3:] for one in levels] == [(600, 700), (300, 350), (150, 175)]
    np.testing.assert_array_equal(levels[0][0, 0, 0], pixels)
    means = pixels.reshape(300, 2, 350, 2).mean(axis=(1, 3))
    assert np.abs(levels[1][0, 0, 0] - means).max() <= 0.5
    ours = open_image(tmp_path / "out" / "Big.ome.zarr")
    with ours:
        meta = ours.images[0].metadata
        assert [channel.name for channel in meta.channels] == ["DNA"]
        assert meta.get_voxel_size_micrometers()[:2] == (PIXEL_UM, PIXEL_UM)


def test_a_folder_is_the_same_each_time_and_its_checksum_is_that_of_coreutils(images: Path, tmp_path: Path) -> None:
    first, job = export("fov", images, tmp_path / "one", "ome-zarr", **WITH_MASK)
    second, _ = export("fov", images, tmp_path / "two", "ome-zarr", **WITH_MASK)
    checksum, size = digest(first)
    assert digest(second) == (checksum, size)
    (result,) = job.results()
    assert (result.checksum, result.size) == (checksum, size)
    command = r"find -type f -printf '%P\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum"
    said = subprocess.run(["bash", "-c", command], cwd=first, capture_output=True, text=True, check=True)
    assert said.stdout.split()[0] == checksum
    manifest = json.loads(next((tmp_path / "one").glob("manifest-*.json")).read_text())
    assert manifest["items"][0]["sha256"] == checksum
    again = Job.from_manifest(next((tmp_path / "one").glob("manifest-*.json")), tmp_path / "three")
    assert again.start().state == "completed"
    assert digest(tmp_path / "three" / "B.ome.zarr")[0] == checksum


@pytest.mark.parametrize("damage", ["removed", "a chunk is gone", "a chunk is changed", "a file more", "none"])
def test_going_on_makes_only_folders_anew_that_are_not_what_was_written(
    images: Path, tmp_path: Path, damage: str
) -> None:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}", versions={}) as catalog:
        job = Job("fov", images, "Two", tmp_path / "out", "ome-zarr", catalog=catalog)
        job.start()
        folders = [tmp_path / "out" / f"{name}.ome.zarr" for name in "AB"]
        right = [digest(one) for one in folders]
        chunk = next(path for path in sorted(folders[0].rglob("*")) if path.is_file() and "/c/" in str(path))
        if damage == "removed":
            folders[0].rename(tmp_path / "away")
        elif damage == "a chunk is gone":
            chunk.unlink()
        elif damage == "a chunk is changed":
            chunk.write_bytes(chunk.read_bytes()[:-1] + b"x")
        elif damage == "a file more":
            (folders[0] / "more").touch()
        before = [one.stat().st_ino if one.exists() else 0 for one in folders]
        assert Job.kept(job.id, catalog).resume().state == "completed"
        assert [digest(one) for one in folders] == right
        after = [one.stat().st_ino for one in folders]
        assert after[1] == before[1]
        assert (after[0] == before[0]) == (damage == "none")
        assert not list((tmp_path / "out").glob(".tmp-*"))


@pytest.mark.parametrize(("existing", "is_kept"), [("replace", False), ("skip", True)])
def test_folders_that_are_there_are_replaced_or_kept(
    images: Path, tmp_path: Path, existing: str, is_kept: bool
) -> None:
    there = tmp_path / "out" / "B.ome.zarr"
    there.mkdir(parents=True)
    (there / "mine.txt").write_text("mine")
    with pytest.raises(ConflictError, match=r"B\.ome\.zarr"):
        export("fov", images, tmp_path / "out", "ome-zarr")
    export("fov", images, tmp_path / "out", "ome-zarr", existing=existing)
    assert (there / "mine.txt").exists() is is_kept
    assert (there / "zarr.json").exists() is not is_kept
    assert [path.name for path in (tmp_path / "out").glob(".tmp-*")] == []


def test_a_damaged_channel_leaves_no_part_of_a_folder(images: Path, tmp_path: Path) -> None:
    path = images / "B" / "CD3.tiff"
    path.write_bytes(path.read_bytes()[:300])
    job = Job("fov", images, "Two", tmp_path / "out", "ome-zarr")
    assert job.start().state == "partial"
    assert [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith("manifest")] == [
        "A.ome.zarr"
    ]


def test_a_full_disk_pauses_the_job_and_leaves_no_part_of_a_folder(tmp_path: Path) -> None:
    images = write_fields(tmp_path / "data", names=("A",))
    for name in ("DNA", "CD3"):
        write_plane(
            images / "A" / f"{name}.tiff", np.random.default_rng(1).integers(0, 60_000, (1500, 1500), np.uint16)
        )
    (images.parent / "masks" / "A_whole_cell.tiff").unlink()
    (images / "A" / "Anti-CD3.tiff").unlink()
    try:
        with small_disk(tmp_path / "disk", 4) as disk:
            done: list[ExportResult] = []
            job = Job("fov", images, "Two", disk.folder / "out", "ome-zarr", on_item=done.append)
            status = job.start()
            assert status.state == "paused"
            assert "the disk is full" in (status.message or "")
            assert done == []
            assert list((disk.folder / "out").iterdir()) == []
    except CannotMountError as error:
        pytest.skip(f"this user may not mount a disk: {error}")


def test_unfinished_folders_of_killed_processes_are_swept(images: Path, tmp_path: Path) -> None:
    for name, age in ((".tmp-old", 1), (".tmp-new", None)):
        (tmp_path / "out" / name / "0").mkdir(parents=True)
        if age:
            os.utime(tmp_path / "out" / name, (age, age))
    export("fov", images, tmp_path / "out", "ome-zarr")
    assert [path.name for path in (tmp_path / "out").glob(".tmp-*")] == [".tmp-new"]


@pytest.mark.parametrize("form", ["tiff", "ome-tiff", "ome-zarr", "a picture"])
def test_cancelling_stops_in_the_middle_of_a_field_of_view_that_is_read_in_parts(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr("coverslip.export.opened.WHOLE_BYTES", 100)
    monkeypatch.setattr("coverslip.export.encoding.LARGEST_AT_ONCE", 100)
    monkeypatch.setattr("coverslip.export.encoding.TILE", 16)
    monkeypatch.setattr("coverslip.render.export.tiffs.RAW_AT_ONCE", 100)
    monkeypatch.setattr("coverslip.render.export.tiffs.RAW_TILE", 16)
    look = {"workers": 1, "raw": form != "a picture"}
    job = Job("fov", images, "Two", tmp_path / "out", "tiff" if form == "a picture" else form, look)
    read = Plane.__getitem__
    count = 0

    def counted(plane: Plane, key: tuple[slice, slice]) -> Any:
        nonlocal count
        count += 1
        if count == 1:
            job.cancel()
        return read(plane, key)

    monkeypatch.setattr(Plane, "__getitem__", counted)
    status = job.start()
    assert (status.state, status.completed, count) == ("cancelled", 0, 1)
    assert [path.name for path in (tmp_path / "out").iterdir() if not path.name.startswith("manifest")] == []
    monkeypatch.setattr(Plane, "__getitem__", read)
    assert job.resume().state == "completed"


@pytest.mark.parametrize("form", ["tiff", "ome-tiff", "ome-zarr"])
def test_neighbours_are_hidden_in_pixels_as_they_are_too(images: Path, tmp_path: Path, form: str) -> None:
    choice = {"data": images, "fovs": ["A"], "ids": [7], "size": 30, "isolate": True}
    job = Job("cells", choice, "Two", tmp_path, form, {"raw": True, "pad": True})
    assert job.start().state == "completed", job.results()
    path = tmp_path / job.results()[0].path
    if form == "ome-zarr":
        group: Any = zarr.open_group(str(path), mode="r")
        found = group["0"][0, 0, 0]
    else:
        found = tifffile.imread(path)[0]
    # cell 7 is 30:40, 50:60; its centre is x 55, y 35, and the crop 40:70, 20:50 reaches beyond the image
    right = np.zeros((30, 30), np.uint16)
    right[10:20, 10:20] = planes_of(0)["DNA"][30:40, 50:60]
    np.testing.assert_array_equal(found, right)


@pytest.mark.parametrize("at_once", [64 << 20, 100])
@pytest.mark.parametrize("mode", MODES)
def test_a_tiff_has_a_page_for_each_channel_with_its_name_and_the_true_resolution(
    images: Path, tmp_path: Path, mode: Any, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coverslip.render.export.tiffs.RAW_AT_ONCE", at_once)
    path, _ = export(mode, images, tmp_path / "out", "tiff", raw=True, **WITH_MASK)
    x0, y0, x1, y1 = box_of(mode) or (0, 0, 60, 40)
    planes = planes_of(1)
    with tifffile.TiffFile(path) as file:
        found: list[Any] = list(file.pages)
        assert [page.tags["PageName"].value for page in found] == ["DNA", "CD3", "whole_cell"]
        pages = [page.asarray() for page in found]
        tags = found[0].tags
        assert tags["ResolutionUnit"].value == 3
        numerator, denominator = tags["XResolution"].value
        assert numerator / denominator == pytest.approx(10_000 / PIXEL_UM)
        described = json.loads(tags["ImageDescription"].value)
    assert described["Channels"] == ["DNA", "CD3", "whole_cell"]
    assert described["PhysicalSizeX"] == PIXEL_UM
    for page, right in zip(pages, (planes["DNA"], planes["CD3"], mask()), strict=True):
        np.testing.assert_array_equal(page, right[y0:y1, x0:x1])
    assert {page.dtype for page in pages} == {np.dtype(np.uint16)}


def test_ome_tiffs_in_tiles_have_the_same_pixels(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = export("fov", images, tmp_path / "whole", "ome-tiff", raw=True, **WITH_MASK)
    monkeypatch.setattr("coverslip.render.export.tiffs.RAW_AT_ONCE", 100)
    monkeypatch.setattr("coverslip.render.export.tiffs.RAW_TILE", 16)
    tiled, _ = export("fov", images, tmp_path / "tiled", "ome-tiff", raw=True, **WITH_MASK)
    with tifffile.TiffFile(tiled) as file:
        assert file.pages.first.is_tiled
        np.testing.assert_array_equal(file.asarray(), tifffile.imread(whole))


@pytest.mark.parametrize("form", ["tiff", "ome-tiff"])
def test_where_the_size_of_a_pixel_is_not_known_the_resolution_is_the_density_on_paper(
    tmp_path: Path, form: str
) -> None:
    images = write_fields(tmp_path / "data", names=("A", "B"), um=0)
    path, _ = export("fov", images, tmp_path / "out", form, raw=True, dpi=250)
    with tifffile.TiffFile(path) as file:
        tags: Any = file.pages.first.tags
        assert tags["ResolutionUnit"].value == 2
        assert tags["XResolution"].value == (250, 1)


def test_a_dry_run_knows_folders_and_refuses_what_pixels_as_they_are_cannot_have(images: Path, tmp_path: Path) -> None:
    job = Job("fov", images, "Two", tmp_path / "out", "ome-zarr", WITH_MASK)
    found = job.dry_run()
    assert [one.path for one in found.files] == ["A.ome.zarr", "B.ome.zarr"]
    job.start()
    for one in found.files:
        assert digest(tmp_path / "out" / one.path)[1] < one.size + 20_000
    assert [one.exists for one in job.dry_run().files] == [True, True]
    with pytest.raises(Exception, match="no downsampling"):
        Job("fov", images, "Two", tmp_path, "ome-zarr", {"downsample": 2})
    with pytest.raises(Exception, match="tiff, ome-tiff, ome-zarr, not into png"):
        Job("fov", images, "Two", tmp_path, "png", {"raw": True})


def test_the_checksum_of_a_folder_is_written_down_by_hand(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "one").write_bytes(b"1")
    (tmp_path / "b.txt").write_bytes(b"22")
    one, two = (hashlib.sha256(data).hexdigest() for data in (b"1", b"22"))
    lines = f"{two}  b.txt\n{one}  b/one\n"  # "." comes before "/"
    assert digest(tmp_path) == (hashlib.sha256(lines.encode()).hexdigest(), 3)
