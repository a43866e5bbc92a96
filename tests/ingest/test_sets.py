"""Multi-file sets: one image in many files, followed through every change of any of them."""

import os
from pathlib import Path

import numpy as np
import pytest

from coverslip.catalog import Catalog
from coverslip.ingest import AddReport, add
from tests.readers.generate_tiff import write_set

NAMES = [f"z{z}.ome.tif" for z in range(4)]


def make(folder: Path, seed: int = 0) -> list[Path]:
    stack = np.random.default_rng(seed).integers(0, 4000, (1, 4, 24, 32), dtype=np.uint16)
    return write_set(folder, stack, NAMES)


def run(catalog: Catalog, *paths: Path) -> AddReport:
    return add(paths, catalog=catalog, workers=2)


def set_times(path: Path, seconds: int) -> None:
    os.utime(path, ns=(1, seconds * 1_000_000_000))


def wanted(catalog: Catalog) -> int:
    (image,) = catalog.list_images().images
    return catalog.artifact("thumbnail", image.id).wanted


def test_a_set_is_one_image_under_its_first_file(catalog: Catalog, folder: Path) -> None:
    paths = make(folder)
    report = run(catalog, folder)
    (image,) = catalog.list_images().images
    assert image.path == str(paths[0])
    assert image.metadata.size_z == 4
    assert report.outcomes == {"added": 1, "part": 3}
    again = run(catalog, folder)
    assert (again.files_opened, again.rows_written, again.outcomes) == (0, 0, {"unchanged": 4})


def test_one_file_of_a_set_brings_the_whole_set(catalog: Catalog, folder: Path) -> None:
    paths = make(folder)
    run(catalog, paths[2])
    (image,) = catalog.list_images().images
    assert image.path == str(paths[0])


@pytest.mark.parametrize("touched_first", [False, True])
def test_a_part_that_changes_marks_the_image(catalog: Catalog, folder: Path, touched_first: bool) -> None:
    paths = make(folder)
    run(catalog, folder)
    before = [path.read_bytes() for path in paths]
    make(folder, seed=1)
    for path, data in zip(paths[:3], before[:3], strict=True):
        path.write_bytes(data)
        set_times(path, 1_700_000_000 if touched_first else 0)
    run(catalog, folder)
    assert wanted(catalog) == 2
    assert run(catalog, folder).rows_written == 0


def test_a_part_that_goes_and_comes_back_marks_the_image_each_time(
    catalog: Catalog, folder: Path, tmp_path: Path
) -> None:
    paths = make(folder)
    run(catalog, folder)
    paths[3].rename(tmp_path / "kept.tif")
    assert run(catalog, folder).missing == [str(paths[3])]
    assert wanted(catalog) == 2
    assert run(catalog, folder).rows_written == 0
    (tmp_path / "kept.tif").rename(paths[3])
    run(catalog, folder)
    assert wanted(catalog) == 3


def test_a_first_file_that_comes_late_takes_the_image_over(catalog: Catalog, folder: Path, tmp_path: Path) -> None:
    paths = make(folder)
    paths[0].rename(tmp_path / "late.tif")
    run(catalog, folder)
    (before,) = catalog.list_images().images
    assert before.path == str(paths[1])
    (tmp_path / "late.tif").rename(paths[0])
    run(catalog, folder)
    (after,) = catalog.list_images().images
    assert (after.id, after.path) == (before.id, str(paths[0]))
    assert after.missing_since is None


def test_when_the_first_file_goes_the_rest_is_shown(catalog: Catalog, folder: Path) -> None:
    paths = make(folder)
    run(catalog, folder)
    paths[0].unlink()
    run(catalog, folder)
    there = [image.path for image in catalog.list_images().images if image.missing_since is None]
    assert there == [str(paths[1])]


def test_a_large_set_is_not_opened_once_for_each_of_its_files(catalog: Catalog, folder: Path) -> None:
    stack = np.zeros((1, 60, 8, 8), np.uint16)
    write_set(folder, stack, [f"z{z:02d}.ome.tif" for z in range(60)])
    report = add([folder], catalog=catalog, workers=2)
    assert report.files_opened <= 8 + 1
    assert report.outcomes == {"added": 1, "part": 59}
