"""Multi-file sets: one image in many files, followed through every change of any of them."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

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


def write_plane(path: Path, side: int = 16, slices: int = 1) -> None:
    path.parent.mkdir(exist_ok=True)
    tifffile.imwrite(path, np.zeros((slices, side, side) if slices > 1 else (side, side), np.uint16))


def shown(catalog: Catalog) -> set[str]:
    return {Path(image.path).name for image in catalog.list_images().images if image.missing_since is None}


def test_a_set_that_falls_apart_leaves_its_files_as_images(catalog: Catalog, folder: Path) -> None:
    for t in range(1, 5):
        write_plane(folder / f"a_t{t}.tif")
    run(catalog, folder)
    assert shown(catalog) == {"a_t1.tif"}
    write_plane(folder / "a_t2.tif", side=20)  # of another size: no part of a set
    run(catalog, folder)
    assert shown(catalog) == {f"a_t{t}.tif" for t in range(1, 5)}
    assert [image.metadata.size_t for image in catalog.list_images().images] == [1] * 4
    assert run(catalog, folder).rows_written == 0


def test_too_few_files_of_a_set_are_images_by_themselves(catalog: Catalog, folder: Path) -> None:
    for t in range(1, 7):
        write_plane(folder / f"a_t{t}.tif")
    run(catalog, folder)
    for t in (2, 3, 4):
        (folder / f"a_t{t}.tif").unlink()
    run(catalog, folder)
    assert shown(catalog) == {"a_t1.tif", "a_t5.tif", "a_t6.tif"}
    assert run(catalog, folder).rows_written == 0


def test_a_folder_that_is_one_image_no_more(catalog: Catalog, folder: Path) -> None:
    for field in ("F", "G"):
        for name in ("CD4", "CD8"):
            write_plane(folder / field / f"{name}.tif")
        run(catalog, folder)
    assert shown(catalog) == {"F", "G"}
    write_plane(folder / "F" / "overview.tif", slices=5)
    run(catalog, folder)
    assert shown(catalog) == {"CD4.tif", "CD8.tif", "overview.tif", "G"}
    assert run(catalog, folder).rows_written == 0
