"""Exports from the command to the file: every mode in every format, read by other libraries, bars measured.

What else was asked for has its tests elsewhere: cancelling, going on, settings that stay as they were and damaged
sources in ``tests/export/test_jobs.py``, choices of looks in ``tests/render/export``, the HTTP API in
``tests/api/test_exports.py``, and kills in ``test_killed_exports.py``.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.demo.fields import fields_of_view
from coverslip.export import Job, export_fovs_batch
from tests.cli.test_commands import Shell
from tests.export.test_jobs import digests
from tests.flows.exported import (
    BAR,
    ENDINGS,
    Array,
    Item,
    bar_pixels,
    decoded,
    luma,
    manifest,
    markers_of,
    measured_bar,
    picture,
    texts_of,
    with_bar,
)
from tests.render.export import reference

MODES = ("fov", "cells", "rois")
LOSSY = {"jpeg": 2.5, "webp": 5.0}
"""Formats that keep pixels about: how far means of 2 by 2 pixels may be off, in grey levels of 255, on average."""
OVER = {"pdf", "svg"}
"""Formats whose bar is drawn over the picture and not into it."""
SIDE = 96
SET = "Immune"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the fields of view of the demo library. Nobody may change them."""
    root = tmp_path_factory.mktemp("library")
    for name, write in fields_of_view():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write(root / name)
    return root / "xenograft_fovs" / "images"


@pytest.fixture(scope="module")
def wanted(images: Path) -> dict[str, dict[str, Item]]:
    """Return what every file of each mode must show, by its name without ending."""
    side = 512
    cells = {f"{row['fov']}_cell_{row['label']}": row for row in cells_of(images)}
    with (images / ".UELer" / "roi_manager.csv").open(encoding="utf-8", newline="") as stream:
        rois = {f"{row['fov']}_roi_{row['name'].replace(' ', '_')}": row for row in csv.DictReader(stream)}
    edges = ("x_min", "x_max", "y_min", "y_max")
    return {
        "fov": {f"FOV{n}": Item(f"FOV{n}", SET, (0, side, 0, side)) for n in (1, 2, 3)},
        "cells": {
            name: Item(row["fov"], SET, reference.crop_bounds(place_of(row), SIDE, (side, side)))
            for name, row in cells.items()
        },
        "rois": {
            name: Item(row["fov"], row["marker_set"], tuple(int(float(row[edge])) for edge in edges))  # type: ignore[arg-type]
            for name, row in rois.items()
        },
    }


@pytest.fixture(scope="module")
def right(images: Path, wanted: dict[str, dict[str, Item]]) -> dict[str, dict[str, Array]]:
    """Return the pictures themselves."""
    return {mode: {name: picture(images, item) for name, item in items.items()} for mode, items in wanted.items()}


def cells_of(images: Path) -> Iterator[dict[str, str]]:
    """Yield for every field of view the cell that is nearest to an edge, and one in the middle."""
    with (images.parent / "cell_table.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for fov in ("FOV1", "FOV2", "FOV3"):
        own = sorted((row for row in rows if row["fov"] == fov), key=lambda row: min(*place_of(row)))
        yield own[0]
        yield own[-1]


def place_of(row: dict[str, str]) -> tuple[float, float]:
    return float(row["centroid-1"]), float(row["centroid-0"])


def words_of(mode: str, images: Path) -> tuple[object, ...]:
    if mode == "cells":
        return ("--ids", ",".join(f"{row['fov']}:{row['label']}" for row in cells_of(images)), "--size", SIDE)
    return ("--masks", "whole_cell") if mode == "fov" else ()


def choices_of(mode: str, images: Path) -> Any:
    if mode == "cells":
        return {"data": images, "ids": [f"{row['fov']}:{row['label']}" for row in cells_of(images)], "size": SIDE}
    return images


@pytest.mark.parametrize("file_format", ENDINGS)
@pytest.mark.parametrize("mode", MODES)
def test_every_mode_in_every_format_is_what_the_formulas_say(
    images: Path, right: dict[str, dict[str, Array]], tmp_path: Path, mode: str, file_format: str
) -> None:
    out = tmp_path / "out"
    words = ("export", mode, images, "-m", SET, "-o", out, "-f", file_format, *words_of(mode, images))
    bar = ("--set", f"scale_bar={json.dumps(BAR)}", *(("--masks", "whole_cell") if mode != "fov" else ()))
    said = Shell(tmp_path / "home")(*words, *bar)
    assert said.strip() == f"{out}: {len(right[mode])} of {len(right[mode])} files, completed."
    assert {path.name for path in out.iterdir() if not path.name.startswith("manifest")} == {
        f"{name}{ENDINGS[file_format]}" for name in right[mode]
    }
    for name, plain in right[mode].items():
        path = out / f"{name}{ENDINGS[file_format]}"
        found, expected = decoded(path), plain if file_format in OVER else with_bar(plain)
        assert found.shape == expected.shape
        assert found.dtype == np.uint8
        if file_format in LOSSY:
            assert np.abs(luma(found) - luma(expected)).mean() <= LOSSY[file_format]
            assert measured_bar(path) == pytest.approx(bar_pixels(plain.shape[1]), abs=1)
        else:
            np.testing.assert_array_equal(found, expected)
            assert measured_bar(path) == pytest.approx(bar_pixels(plain.shape[1]), abs=0.3)
    check_manifest(out, len(right[mode]))


def check_manifest(out: Path, count: int) -> None:
    document, rows = manifest(out)
    assert (document["state"], len(rows)) == ("completed", count)
    for row in rows:
        assert row["sha256"] == hashlib.sha256((out / row["file"]).read_bytes()).hexdigest()
        pixels = decoded(out / row["file"])
        assert (int(row["height"]), int(row["width"])) == pixels.shape[:2]
        # the bar is as long as the manifest says, in the pixels of 0.5 µm that were measured above
        assert float(row["scale_bar_um"]) == bar_pixels(pixels.shape[1]) * 0.5


@pytest.mark.parametrize("mode", MODES)
def test_pixels_as_they_are_come_out_in_every_mode(
    images: Path, wanted: dict[str, dict[str, Item]], tmp_path: Path, mode: str
) -> None:
    words = ("export", mode, images, "-m", SET, "-o", tmp_path / "out", "-f", "ome-tiff", *words_of(mode, images))
    masks = ("--masks", "whole_cell") if mode != "fov" else ()
    Shell(tmp_path / "home")(*words, *masks, "--set", "raw=true")
    for name, item in wanted[mode].items():
        x0, x1, y0, y1 = item.box
        found = tifffile.imread(tmp_path / "out" / f"{name}.ome.tif")
        channels = [channel for channel, *_ in markers_of(images)[item.marker_set]]
        files = [images / item.fov / f"{channel}.tiff" for channel in channels]
        files.append(images.parent / "masks" / f"{item.fov}_whole_cell.tiff")
        assert len(found) == len(files)
        for plane, path in zip(found, files, strict=True):
            np.testing.assert_array_equal(plane, tifffile.imread(path)[y0:y1, x0:x1])


@pytest.mark.parametrize("mode", MODES)
def test_the_command_and_python_write_the_same_bytes(images: Path, tmp_path: Path, mode: Any) -> None:
    words = ("export", mode, images, "-m", SET, "-o", tmp_path / "command", *words_of(mode, images))
    Shell(tmp_path / "home")(*words, "--scale-bar", "auto", "--downsample", 2)
    overrides = {"scale_bar": True, "downsample": 2, **({"masks": ["whole_cell"]} if mode == "fov" else {})}
    assert Job(mode, choices_of(mode, images), SET, tmp_path / "python", "png", overrides).start().state == "completed"
    assert digests(tmp_path / "python") == digests(tmp_path / "command")


@pytest.mark.parametrize("step", [2, 3])
@pytest.mark.parametrize("mode", MODES)
def test_smaller_pictures_keep_outlines_and_bars_true(
    images: Path, wanted: dict[str, dict[str, Item]], tmp_path: Path, mode: Any, step: int
) -> None:
    overrides = {"downsample": step, "masks": ["whole_cell"], "scale_bar": BAR}
    assert Job(mode, choices_of(mode, images), SET, tmp_path, "png", overrides).start().state == "completed"
    for name, item in wanted[mode].items():
        expected = with_bar(picture(images, item, step), step)
        np.testing.assert_array_equal(decoded(tmp_path / f"{name}.png"), expected)


def test_a_gallery_has_every_region_with_its_own_bar_and_caption(
    images: Path, right: dict[str, dict[str, Array]], tmp_path: Path
) -> None:
    words = ("export", "rois", images, "-m", SET, "-o", tmp_path / "out", "--gallery", "1x1", "--scale-bar", "auto")
    Shell(tmp_path / "home")(*words)
    pages = texts_of(tmp_path / "out" / "gallery.pdf")
    assert len(pages) == len(right["rois"]) == 6
    for page, row in zip(pages, manifest(tmp_path / "out")[1], strict=True):
        assert row["item"] in page
        assert row["marker_set"] in page
        assert "5 µm" in page  # a tenth of 128 pixels of 0.5 µm is 6.4 µm


def test_a_dry_run_names_the_files_that_come_out(images: Path, tmp_path: Path) -> None:
    run = Shell(tmp_path / "home")
    words = ("export", "rois", images, "-m", SET, "-o", tmp_path / "out", "--scale-bar", "auto", "--json")
    planned = json.loads(run(*words, "--dry-run"))["files"]
    assert not (tmp_path / "out").exists()
    run(*words)
    for one in planned:
        assert decoded(tmp_path / "out" / one["path"]).shape == (one["height"], one["width"], 3)
        assert (tmp_path / "out" / one["path"]).stat().st_size <= one["size"]
    assert len(planned) == len(digests(tmp_path / "out"))


def test_the_simple_call_exports_the_library(images: Path, right: dict[str, dict[str, Array]], tmp_path: Path) -> None:
    found = export_fovs_batch(SET, tmp_path, ["FOV1", "FOV2", "FOV3"], data=images, masks=["whole_cell"])
    assert found == {"FOV1": True, "FOV2": True, "FOV3": True}
    for fov, expected in right["fov"].items():
        np.testing.assert_array_equal(decoded(tmp_path / f"{fov}.png"), expected)


LOOKS = {"HH3": ("blue", (0.0, 0.0, 1.0), 20.0), "CD45": ("green", (0.0, 1.0, 0.0), 6.0)}


@pytest.mark.samples
@pytest.mark.parametrize("file_format", ENDINGS)
def test_a_real_field_of_view_comes_out_in_every_format(samples: Path, tmp_path: Path, file_format: str) -> None:
    fov = samples / "mibi" / "fov8"
    markers = ",".join(f"{name}={color}:0:{high:g}" for name, (color, _, high) in LOOKS.items())
    words = ("export", "fov", fov, "-m", markers, "-o", tmp_path / "out", "-f", file_format)
    Shell(tmp_path / "home")(*words)
    planes = [tifffile.imread(fov / "TIFs" / f"{name}.tiff") for name in LOOKS]
    looks = [(color, 0.0, high) for _, color, high in LOOKS.values()]
    expected = reference.to_uint8(reference.composite(planes, looks, 1))
    assert expected.any()
    found = decoded(tmp_path / "out" / f"fov8{ENDINGS[file_format]}")
    if file_format in LOSSY:
        assert np.abs(luma(found) - luma(expected)).mean() <= LOSSY[file_format]
    else:
        np.testing.assert_array_equal(found, expected)
