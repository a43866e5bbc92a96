"""DICOM series: no file names its set, so what is in the folder decides, and may change."""

from pathlib import Path

import numpy as np

from coverslip.catalog import Catalog
from coverslip.ingest import AddReport, add
from tests.readers.generate_series import write_series

VOLUME = np.random.default_rng(5).integers(0, 4000, (6, 12, 10)).astype("u2")
PLACES = [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]


def run(catalog: Catalog, folder: Path) -> AddReport:
    return add([folder], catalog=catalog, workers=3)


def sizes(catalog: Catalog) -> list[tuple[str, int]]:
    return sorted((Path(image.path).name, image.metadata.size_z) for image in catalog.list_images().images)


def test_each_series_of_a_folder_is_one_image(catalog: Catalog, folder: Path) -> None:
    write_series(folder, VOLUME, PLACES)
    write_series(folder, VOLUME[:4], PLACES[:4], series="2")
    report = run(catalog, folder)
    assert report.outcomes == {"added": 2, "part": 8}
    assert sizes(catalog) == [("1_0000.dcm", 6), ("2_0000.dcm", 4)]
    again = run(catalog, folder)
    assert (again.files_opened, again.rows_written) == (0, 0)


def test_slices_that_come_later_join_their_series(catalog: Catalog, folder: Path) -> None:
    files = write_series(folder, VOLUME, PLACES, shuffle=False)
    late = [path.rename(folder.parent / path.name) for path in (files[0], files[5])]
    run(catalog, folder)
    assert sizes(catalog) == [("1_0001.dcm", 4)]
    for path in late:
        path.rename(folder / path.name)
    run(catalog, folder)
    assert sizes(catalog) == [("1_0000.dcm", 6)]


def test_a_slice_that_goes_is_missed(catalog: Catalog, folder: Path) -> None:
    files = write_series(folder, VOLUME, PLACES, shuffle=False)
    run(catalog, folder)
    files[3].unlink()
    run(catalog, folder)
    (image,) = catalog.list_images().images
    assert image.metadata.size_z == 5
    assert "1 slices are missing" in (image.metadata.note or "")
