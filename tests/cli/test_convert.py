"""``coverslip convert`` as a person runs it."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

import coverslip
from coverslip.ngff import lock
from tests.api.tiffs import write_series
from tests.cli.test_commands import Shell
from tests.files import plane, write_tiff
from tests.ngff.images import array_of
from tests.readers.generate_fov import pixels, write_field, write_mask


@pytest.fixture
def run(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


def test_a_file_becomes_a_folder_that_is_read_back(run: Shell, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "cells.tif", 3, (5, 600, 300))
    text = run("convert", path, tmp_path / "cells.ome.zarr", "--workers", "2")
    assert text.strip().endswith("cells.ome.zarr: T 1 C 1 Z 5 Y 600 X 300, uint16, 1.7 MiB of pixels")
    group = zarr.open_group(tmp_path / "cells.ome.zarr", mode="r")
    assert group.metadata.zarr_format == 3
    np.testing.assert_array_equal(array_of(group, "0")[0, 0], plane(3, (5, 600, 300)))
    assert "T 1 C 1 Z 5 Y 600 X 300, uint16" in run("info", tmp_path / "cells.ome.zarr")


@pytest.mark.parametrize("version", ["0.5", "0.4"])
def test_label_images_are_the_same_before_and_after(run: Shell, tmp_path: Path, version: str) -> None:
    field = write_field(tmp_path / "fields" / "fov1", pixels(4))
    for name, seed in (("nuclei", 8), ("whole_cell", 9)):
        write_mask(tmp_path / "fields" / "masks" / f"fov1_{name}.tif", pixels(1, seed=seed)[0])
    out = tmp_path / "fov1.ome.zarr"
    run("convert", field, out, "--ome-zarr-version", version)
    for path in (field, out):
        shown = run("info", path)
        assert shown.count("labels") == 1
        assert "labels       nuclei (uint16); whole_cell (uint16)" in shown
    with coverslip.open_image(field) as before, coverslip.open_image(out) as after:
        for one, other in zip(before.images[0].labels, after.images[0].labels, strict=True):
            assert one.metadata.name == other.metadata.name
            np.testing.assert_array_equal(one.to_numpy(), other.to_numpy())


def test_another_image_in_the_older_version(run: Shell, tmp_path: Path) -> None:
    path = write_series(tmp_path / "series.ome.tif", 3)
    run("convert", path, tmp_path / "o.zarr", "--image", "2", "--ome-zarr-version", "0.4")
    group = zarr.open_group(tmp_path / "o.zarr", mode="r")
    assert group.metadata.zarr_format == 2
    found = np.asarray(array_of(group, "0")[0, 0, 0])
    assert (found[0, 0], found[5, 5]) == (2, 1002)


def test_what_is_refused_and_how(run: Shell, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "cells.tif")
    assert "there is no image 1" in run("convert", path, tmp_path / "o.zarr", "--image", "1", code=2)
    run("convert", path, tmp_path / "o.zarr", "--ome-zarr-version", "0.3", code=2)
    (tmp_path / "o.zarr").mkdir()
    assert "exists already and is not overwritten" in run("convert", path, tmp_path / "o.zarr", code=4)
    assert list((tmp_path / "o.zarr").iterdir()) == []
    assert "cannot be written" in run("convert", path, tmp_path / "no" / "o.zarr", code=5)
    assert "no such file" in run("convert", tmp_path / "no.tif", tmp_path / "p.zarr", code=1)


def test_a_damaged_file_publishes_nothing_and_the_mended_one_is_another_conversion(run: Shell, tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    tifffile.imwrite(path, plane(1, (5, 200, 200)))
    whole = path.read_bytes()
    path.write_bytes(whole[:100_000])
    assert str(path) in run("convert", path, tmp_path / "o.zarr", code=1)
    assert not (tmp_path / "o.zarr").exists()
    path.write_bytes(whole)
    if (tmp_path / "o.zarr.partial").exists():
        assert "interrupted conversion of another image" in run("convert", path, tmp_path / "o.zarr", code=4)
    run("convert", path, tmp_path / "again.zarr")
    found = array_of(zarr.open_group(tmp_path / "again.zarr", mode="r"), "0")[0, 0]
    np.testing.assert_array_equal(found, plane(1, (5, 200, 200)))


def test_a_place_that_is_being_written_is_refused(run: Shell, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "cells.tif")
    with lock.held(tmp_path / "o.zarr.partial"):
        assert "is being written by another process" in run("convert", path, tmp_path / "o.zarr", code=4)
    run("convert", path, tmp_path / "o.zarr")
    assert not (tmp_path / "o.zarr.partial").exists()
