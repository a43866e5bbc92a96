"""The demo library: the same bytes every time, files that open, documents that agree with the pixels."""

import csv
import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr_models.v05.image import Image as OmeZarrImage

import coverslip
from coverslip import render
from coverslip.demo import make_library
from coverslip.demo.library import MARKER
from coverslip.demo.tissue import MARKERS
from coverslip.errors import UnsupportedFormatError

OTHER_RUN = "import sys, pathlib; from coverslip.demo import make_library; make_library(pathlib.Path(sys.argv[1]))"


@dataclass(frozen=True)
class Library:
    folder: Path
    paths: list[Path]
    told: list[Path]
    twin: Path


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Make the library here and, at the same time, in another process with another hash seed."""
    folder, twin = tmp_path_factory.mktemp("demo"), tmp_path_factory.mktemp("twin")
    environment = {**os.environ, "PYTHONHASHSEED": "123"}
    with subprocess.Popen([sys.executable, "-c", OTHER_RUN, str(twin)], env=environment) as other:
        told: list[Path] = []
        paths = make_library(folder, on_file=told.append)
        assert other.wait(300) == 0
    return Library(folder, paths, told, twin)


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_two_runs_give_the_same_bytes(library: Library) -> None:
    assert digests(library.folder) == digests(library.twin)


def test_every_file_is_told_once_and_the_library_is_small(library: Library) -> None:
    assert library.told == library.paths
    assert len(set(library.paths)) == len(library.paths)
    assert sum(path.stat().st_size for path in library.folder.rglob("*") if path.is_file()) < 150e6


def test_a_second_run_makes_only_what_is_missing(library: Library) -> None:
    missing = library.folder / "brightfield/yeast_dic.tif"
    before = digests(library.folder)
    missing.unlink()
    told: list[Path] = []
    assert make_library(library.folder, on_file=told.append) == library.paths
    assert told == [missing]
    assert digests(library.folder) == before
    make_library(library.folder, on_file=told.append)
    assert told == [missing]


class StoppedError(Exception):
    """Thrown in the middle of a run."""


def stop(path: Path) -> None:
    raise StoppedError(path)


@pytest.mark.parametrize("marker", ['{"version": 0, "files": ["fluorescence/hela_zstack.ome.tif"]}', "["])
def test_files_of_another_version_or_with_a_damaged_marker_are_made_again(marker: str, tmp_path: Path) -> None:
    stale = tmp_path / "fluorescence/hela_zstack.ome.tif"
    stale.parent.mkdir()
    stale.write_bytes(b"old")
    (tmp_path / MARKER).write_text(marker)
    with pytest.raises(StoppedError):
        make_library(tmp_path, on_file=stop)
    assert stale.stat().st_size > 1e6
    assert not list(tmp_path.rglob("*.part"))
    assert json.loads((tmp_path / MARKER).read_text())["files"] == ["fluorescence/hela_zstack.ome.tif"]


IMAGES = {
    "fluorescence/hela_zstack.ome.tif": (
        ("TIFF", "OME-TIFF", (1, 3, 24, 512, 512), "uint16"),
        ((0.132, 0.132, 0.35), ["DAPI", "Tubulin-AF488", "Actin-AF568"]),
    ),
    "timelapse/dividing_cells.tif": (
        ("TIFF", "ImageJ", (30, 2, 1, 512, 512), "uint16"),
        ((0.325, 0.325, None), ["H2B-mCherry", "GFP"]),
    ),
    "tomograms/ribosomes.mrc": (
        ("MRC", None, (1, 1, 96, 400, 400), "int8"),
        ((7.84e-4, 7.84e-4, 7.84e-4), ["Channel 0"]),
    ),
    "wholeslide/tissue.ome.zarr": (
        ("OME-Zarr", "0.5", (1, 3, 1, 2048, 2048), "uint8"),
        ((0.5, 0.5, None), ["Red", "Green", "Blue"]),
    ),
    "immunofluorescence/tissue_pyramid.ome.tif": (
        ("TIFF", "OME-TIFF", (1, 2, 1, 1536, 1536), "uint16"),
        ((0.454, 0.454, None), ["DAPI", "GFAP-AF594"]),
    ),
    "brightfield/yeast_dic.tif": (
        ("TIFF", "OME-TIFF", (1, 1, 1, 1024, 1024), "uint16"),
        ((0.0645, 0.0645, None), ["DIC"]),
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_open_with_their_metadata(library: Library, name: str) -> None:
    with coverslip.open_image(library.folder / name) as file:
        (image,) = file.images
        meta = image.metadata
        assert (meta.file_format, meta.format_variant, meta.shape, meta.dtype) == IMAGES[name][0]
        sizes, names = IMAGES[name][1]
        for got, expected in zip(meta.get_voxel_size_micrometers(), sizes, strict=True):
            assert got == (None if expected is None else pytest.approx(expected, rel=1e-4))
        assert [channel.name for channel in meta.channels] == names
        picture = render.draw(image, coverslip.RenderSpec())
        assert max(picture.shape[:2]) == 256
        assert 20 < picture.max(axis=2).mean() < 235
        assert picture.std() > 15


def test_instrument_and_times_are_stated(library: Library) -> None:
    with coverslip.open_image(library.folder / "fluorescence/hela_zstack.ome.tif") as file:
        meta = file.images[0].metadata
    assert meta.objective is not None
    assert (meta.objective.magnification, meta.objective.numerical_aperture) == (63, 1.4)
    assert meta.acquired_at is not None
    assert meta.channels[1].emission_wavelength_nm == 520
    assert meta.channels[2].exposure_time_s == 0.15
    with coverslip.open_image(library.folder / "timelapse/dividing_cells.tif") as file:
        assert file.images[0].metadata.time_increment_s == 300


def test_pyramids_have_levels_of_half_the_size(library: Library) -> None:
    for name, sizes in (("immunofluorescence/tissue_pyramid.ome.tif", [1536, 768, 384]),
                        ("wholeslide/tissue.ome.zarr", [2048, 1024, 512, 256])):  # fmt: skip
        with coverslip.open_image(library.folder / name) as file:
            image = file.images[0]
            assert [level.size_x for level in image.metadata.levels] == sizes
            fine, coarse = (image.to_numpy(level)[0, 0, 0].astype(float) for level in (0, 1))
            halves = fine.reshape(sizes[1], 2, sizes[1], 2).mean(axis=(1, 3))
            assert np.abs(halves - coarse).max() <= 1


def test_the_zarr_metadata_are_valid_ngff(library: Library) -> None:
    group = zarr.open_group(library.folder / "wholeslide/tissue.ome.zarr", mode="r")
    image = OmeZarrImage.from_zarr(group)
    assert [axis.name for axis in image.ome_attributes.multiscales[0].axes] == ["c", "y", "x"]


def test_tables_are_not_taken_for_images(library: Library) -> None:
    for path in library.paths:
        if path.suffix in {".csv", ".json"}:
            with pytest.raises(UnsupportedFormatError):
                coverslip.open_image(path)


def test_cells_divide(library: Library) -> None:
    frames = tifffile.imread(library.folder / "timelapse/dividing_cells.tif")[:, 0]

    def count(frame: np.ndarray[Any, Any]) -> int:
        mask = (cv2.GaussianBlur(frame, (0, 0), 1.5) > 300).astype(np.uint8)
        areas = cv2.connectedComponentsWithStats(mask)[2][1:, cv2.CC_STAT_AREA]
        return int((areas > 60).sum())

    assert count(frames[-1]) >= count(frames[0]) + 4
    assert np.percentile(frames[15], 99.9) > 1.5 * np.percentile(frames[15], 96)


def test_ribosomes_are_dark_and_where_the_list_says(library: Library) -> None:
    with coverslip.open_image(library.folder / "tomograms/ribosomes.mrc") as file:
        volume = file.images[0].to_numpy()[0, 0].astype(float)
    particles = rows(library.folder / "tomograms/ribosomes.csv")
    assert len(particles) > 40
    limit = volume.mean() - 0.5 * volume.std()
    dark = 0
    for particle in particles:
        x, y, z = (round(float(particle[axis])) for axis in "xyz")
        assert float(particle["x_angstrom"]) == pytest.approx(float(particle["x"]) * 7.84, abs=0.05)
        inside = volume[z - 6 : z + 7, y - 6 : y + 7, x - 6 : x + 7]
        dark += inside.mean() < limit
    assert dark > 0.95 * len(particles)


@pytest.mark.parametrize("fov", ["FOV1", "FOV2", "FOV3"])
def test_masks_images_and_cell_table_agree(library: Library, fov: str) -> None:
    mask = tifffile.imread(library.folder / f"xenograft_fovs/masks/{fov}_whole_cell.tiff")
    images = {m: tifffile.imread(library.folder / f"xenograft_fovs/images/{fov}/{m}.tiff") for m in MARKERS}
    table = [row for row in rows(library.folder / "xenograft_fovs/cell_table.csv") if row["fov"] == fov]
    assert sorted(int(row["label"]) for row in table) == sorted(set(np.unique(mask)) - {0})
    for row in table[::37]:
        y, x = np.nonzero(mask == int(row["label"]))
        assert int(row["area"]) == len(y)
        assert (float(row["centroid-0"]), float(row["centroid-1"])) == pytest.approx((y.mean(), x.mean()), abs=1e-3)
        for marker, image in images.items():
            assert float(row[marker]) == pytest.approx(image[y, x].mean(), abs=1e-3)


def test_clusters_are_what_their_markers_say(library: Library) -> None:
    table = rows(library.folder / "xenograft_fovs/cell_table.csv")

    def mean(marker: str, cluster: str) -> float:
        return float(np.mean([float(row[marker]) for row in table if row["cluster"] == cluster]))

    for marker, cluster in (("CD45", "immune"), ("Vimentin", "stroma"), ("Ki67", "proliferating tumour")):
        others = {row["cluster"] for row in table} - {cluster}
        assert all(mean(marker, cluster) > 1.3 * mean(marker, other) for other in others)
    assert mean("PanCK", "tumour") > 2 * mean("PanCK", "stroma")


def test_marker_sets_name_channels_that_exist(library: Library) -> None:
    document = json.loads((library.folder / "xenograft_fovs/images/.UELer/widget_states.json").read_text())
    assert set(document["marker_sets"]) == {"Tumour", "Immune"}
    for marker_set in document["marker_sets"].values():
        assert set(marker_set["selected_channels"]) == set(marker_set["channel_settings"]) <= set(MARKERS)
        for setting in marker_set["channel_settings"].values():
            assert 0 < setting["contrast_min"] < setting["contrast_max"] < 65535


def test_regions_lie_in_their_field_and_count_their_cells(library: Library) -> None:
    regions = rows(library.folder / "xenograft_fovs/images/.UELer/roi_manager.csv")
    table = rows(library.folder / "xenograft_fovs/cell_table.csv")
    assert len(regions) == 6
    assert len({region["roi_id"] for region in regions}) == 6
    for region in regions:
        assert len(region) == 24
        left, right, top, bottom = (float(region[key]) for key in ("x_min", "x_max", "y_min", "y_max"))
        assert 0 <= left < right <= 512
        assert 0 <= top < bottom <= 512
        assert (right - left, bottom - top) == (float(region["width"]), float(region["height"]))
        inside = [
            row
            for row in table
            if row["fov"] == region["fov"]
            and row["cluster"] == region["name"].removeprefix(f"{region['fov']} ")
            and left <= float(row["centroid-1"]) < right
            and top <= float(row["centroid-0"]) < bottom
        ]
        assert region["comment"] == f"{len(inside)} cells"
        assert len(inside) > 5
