"""FOV folders and numbered sets in the catalog: one image each, whatever the order in which their files are met."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile

from coverslip.catalog import Catalog
from coverslip.ingest import AddReport, add
from coverslip.model.records import ImageRecord
from tests.readers.generate_fov import SHAPE, pixels, write_field, write_mask
from tests.readers.generate_numbered import noise, write_numbered


def run(catalog: Catalog, *paths: Path, fields: bool = False) -> AddReport:
    return add(paths, catalog=catalog, workers=2, fields=fields)


def there(catalog: Catalog) -> list[ImageRecord]:
    return [image for image in catalog.list_images().images if image.missing_since is None]


def paths_of(catalog: Catalog) -> list[str]:
    return sorted(image.path for image in there(catalog))


def make(base: Path, *names: str) -> list[Path]:
    return [write_field(base / name / "TIFs", pixels(4, seed=n)).parent for n, name in enumerate(names)]


def settle(folder: Path) -> None:
    """Give everything an old time, so that a later change shows."""
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (1_700_000_000, 1_700_000_000))


@pytest.mark.parametrize("masks", ["masks", "segmentation/masks"])
@pytest.mark.parametrize("images", ["images", "z_images"])
def test_a_base_folder_gives_one_image_for_each_field(catalog: Catalog, folder: Path, masks: str, images: str) -> None:
    """Masks may be met before the fields or after them: their folders sort either way."""
    fields = make(folder / images, "FOV1", "FOV2")
    for field in fields:
        write_mask(folder / masks / f"{field.name}_whole_cell.tif", pixels(1, "uint16", 5)[0])
    report = run(catalog, folder)
    assert paths_of(catalog) == [str(field) for field in fields]
    assert report.outcomes == {"added": 2, "part": 2}
    assert [info.name for image in there(catalog) for info in image.metadata.labels] == ["whole_cell", "whole_cell"]
    again = run(catalog, folder)
    assert (again.files_opened, again.rows_written, again.outcomes) == (0, 0, {"unchanged": 4})


def test_a_mask_that_changes_or_comes_later_marks_its_field(catalog: Catalog, folder: Path) -> None:
    make(folder / "images", "FOV1", "FOV2")
    path = write_mask(folder / "masks" / "FOV1_cells.tif", pixels(1, "uint16", 5)[0])
    settle(folder)
    run(catalog, folder)
    before = {image.path: image.revision for image in there(catalog)}
    write_mask(path, pixels(1, "uint16", 6)[0])
    write_mask(folder / "masks" / "FOV2_cells.tif", pixels(1, "uint16", 7)[0])
    run(catalog, folder)
    after = {image.path: image for image in there(catalog)}
    assert {path: image.revision for path, image in after.items()} == {path: n + 1 for path, n in before.items()}
    assert all(len(image.metadata.labels) == 1 for image in after.values())
    assert run(catalog, folder).rows_written == 0


def test_a_channel_that_changes_marks_the_field(catalog: Catalog, folder: Path) -> None:
    (field,) = make(folder, "FOV1")
    settle(folder)
    run(catalog, folder)
    tifffile.imwrite(field / "TIFs" / "CD4.tif", pixels(1, "uint16", 77)[0])
    assert run(catalog, folder).outcomes == {"changed": 1}
    assert [image.revision for image in there(catalog)] == [2]


@pytest.mark.parametrize("inner", ["TIFs/CD4.tif", "TIFs"])
def test_a_piece_of_a_field_brings_the_field(catalog: Catalog, folder: Path, inner: str) -> None:
    (field,) = make(folder, "FOV1")
    run(catalog, field / inner)
    assert paths_of(catalog) == [str(field)]


def test_tiffs_cataloged_one_by_one_become_parts_when_their_folder_turns_out_to_be_a_field(
    catalog: Catalog, folder: Path
) -> None:
    write_field(folder / "A", pixels(4))
    run(catalog, folder)
    assert len(there(catalog)) == 4
    write_field(folder / "B", pixels(4, seed=1))
    run(catalog, folder)
    assert paths_of(catalog) == [str(folder / "A"), str(folder / "B")]
    assert run(catalog, folder).rows_written == 0


def test_a_folder_of_unrelated_tiffs_is_walked_unless_somebody_says_that_it_is_a_field(
    catalog: Catalog, folder: Path
) -> None:
    write_field(folder / "A", pixels(4))
    write_field(folder / "B", pixels(2, shape=(9, 9)), names=("x", "y"))
    tifffile.imwrite(folder / "B" / "z.tif", np.zeros(SHAPE, "u1"))
    run(catalog, folder, fields=True)
    inside = [str(folder / "B" / name) for name in ("x.tif", "y.tif", "z.tif")]
    assert paths_of(catalog) == [str(folder / "A"), *inside]
    again = run(catalog, folder)  # what was said once stays said
    assert (again.rows_written, paths_of(catalog)) == (0, [str(folder / "A"), *inside])


def test_a_numbered_set_is_one_image_under_its_first_file(catalog: Catalog, folder: Path) -> None:
    one = write_numbered(folder, noise((3, 2, 1, 20, 30)), "A01_s1_w{c}_t{t}.tif", first=1)
    two = write_numbered(folder, noise((3, 2, 1, 20, 30)), "A01_s2_w{c}_t{t}.tif", first=1)
    report = run(catalog, folder)
    assert paths_of(catalog) == [str(min(one)), str(min(two))]
    assert report.outcomes == {"added": 2, "part": 10}
    assert run(catalog, folder).outcomes == {"unchanged": 12}


def test_a_file_that_comes_later_joins_its_set(catalog: Catalog, folder: Path) -> None:
    paths = write_numbered(folder, noise((6, 1, 1, 20, 30)), "a_t{t}.tif")
    late = paths[5].read_bytes()
    paths[5].unlink()
    settle(folder)
    run(catalog, folder)
    assert [image.metadata.size_t for image in there(catalog)] == [5]
    paths[5].write_bytes(late)
    run(catalog, folder)
    assert [(image.metadata.size_t, image.revision) for image in there(catalog)] == [(6, 2)]
    paths[5].unlink()
    run(catalog, folder)
    assert [(image.metadata.size_t, image.revision) for image in there(catalog)] == [(5, 3)]


def test_a_large_set_is_opened_once_and_its_files_are_read_once(catalog: Catalog, folder: Path) -> None:
    write_numbered(folder, noise((300, 1, 1, 8, 8)), "a_t{t}.tif")
    report = run(catalog, folder)
    assert report.outcomes == {"added": 1, "part": 299}
    assert report.files_opened == 1
