"""Every mode and format, decoded by other libraries and compared with plain formulas."""

import base64
import io
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from coverslip.demo.tissue import PIXEL_UM as DEMO_UM
from coverslip.export import Job
from coverslip.model.exporting import ExportResult
from tests.export.making import PIXEL_UM, expected, pixels_of, planes_of, roi, write_rois
from tests.render.export import reference

MODES = ["fov", "cells", "rois"]
ENDINGS = {
    "png": ".png",
    "jpeg": ".jpg",
    "webp": ".webp",
    "tiff": ".tif",
    "ome-tiff": ".ome.tif",
    "svg": ".svg",
    "pdf": ".pdf",
}
LOSSY = {"jpeg", "webp"}
"""Only their brightness is compared, as means of 4 by 4 pixels: both keep colours of noise at half the resolution."""
BOX = (12, 5, 44, 37)


def items_of(mode: str, images: Path) -> Any:
    if mode == "cells":
        return {"data": images, "fovs": ["B"], "ids": [2], "size": 20}
    if mode == "rois":
        write_rois(images, [roi("r", "B", (12, 44, 5, 37), marker_set="Two")])
        return images
    return {"data": images, "fovs": ["B"]}


def box_of(mode: str) -> tuple[int, int, int, int] | None:
    # the centre of cell 2 is x 30, y 22
    return {"fov": None, "cells": (20, 12, 40, 32), "rois": BOX}[mode]


def decoded(path: Path) -> NDArray[np.uint8]:
    if path.suffix == ".tif":
        return tifffile.imread(path)
    if path.suffix == ".svg":
        found = re.search(r"data:image/png;base64,([^\"']+)", path.read_text("utf-8"))
        assert found is not None
        with Image.open(io.BytesIO(base64.b64decode(found[1]))) as picture:
            return np.asarray(picture.convert("RGB"))
    if path.suffix == ".pdf":
        return pdf_image(path.read_bytes())
    return pixels_of(path)


def brightness(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    height, width = picture.shape[:2]
    luma = picture @ np.array([0.299, 0.587, 0.114])
    means: NDArray[np.float64] = luma.reshape(height // 4, 4, width // 4, 4).mean(axis=(1, 3))
    return means


def pdf_image(data: bytes) -> NDArray[np.uint8]:
    """Return the only picture in a PDF: a stream of deflated RGB, with PNG predictors where it says so."""
    for part in re.finditer(rb"<<((?:(?!endobj).)*?/Subtype\s*/Image.*?)>>\s*stream\r?\n", data, re.DOTALL):
        width, height = (int(re.search(name + rb"\s+(\d+)", part[1])[1]) for name in (rb"/Width", rb"/Height"))  # type: ignore[index]
        raw = zlib.decompressobj().decompress(data[part.end() :])
        if len(raw) == width * height * 3:
            return np.frombuffer(raw, np.uint8).reshape(height, width, 3)
        header = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\0\0\0")
        png = header + png_chunk(b"IDAT", zlib.compress(raw)) + png_chunk(b"IEND", b"")
        with Image.open(io.BytesIO(png)) as picture:
            return np.asarray(picture)
    raise AssertionError("there is no picture in the PDF")


def png_chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)


@pytest.mark.parametrize("file_format", ENDINGS)
@pytest.mark.parametrize("mode", MODES)
def test_a_picture_in_every_format_is_what_the_formulas_say(
    images: Path, tmp_path: Path, mode: Any, file_format: str
) -> None:
    job = Job(mode, items_of(mode, images), "Two", tmp_path / "out", file_format)
    assert job.start().state == "completed", job.results()
    (result,) = job.results()
    path = tmp_path / "out" / result.path
    assert path.name.endswith(ENDINGS[file_format])
    right = expected(planes_of(1), ("DNA", "CD3"), box_of(mode))
    found = decoded(path)
    assert found.shape == right.shape
    difference = np.abs(found.astype(int) - right)
    if file_format in LOSSY:
        apart, turned = (np.abs(brightness(found) - brightness(one)).mean() for one in (right, right[::-1]))
        assert apart < 8
        assert turned > 2 * apart
    else:
        assert difference.max() == 0


@pytest.mark.parametrize("mode", MODES)
def test_pixels_as_they_are_keep_type_names_and_size(images: Path, tmp_path: Path, mode: Any) -> None:
    overrides = {"raw": True, "masks": "whole_cell"}
    job = Job(mode, items_of(mode, images), "Two", tmp_path / "out", "ome-tiff", overrides)
    assert job.start().state == "completed", job.results()
    planes = planes_of(1)
    x0, y0, x1, y1 = box_of(mode) or (0, 0, 60, 40)
    with tifffile.TiffFile(tmp_path / "out" / job.results()[0].path) as file:
        pixels, xml = file.asarray(), file.ome_metadata
    assert pixels.dtype == np.uint16
    np.testing.assert_array_equal(pixels[0], planes["DNA"][y0:y1, x0:x1])
    np.testing.assert_array_equal(pixels[1], planes["CD3"][y0:y1, x0:x1])
    assert xml is not None
    assert re.findall(r'<Channel [^>]*Name="([^"]+)"', xml) == ["DNA", "CD3", "whole_cell"]
    assert f'PhysicalSizeX="{PIXEL_UM}"' in xml


def limits_of(images: Path, name: str) -> tuple[list[str], list[tuple[tuple[float, float, float], float, float]]]:
    colors: dict[str, tuple[float, float, float]] = {
        "Blue": (0, 0, 1),
        "Green": (0, 1, 0),
        "Red": (1, 0, 0),
        "Yellow": (1, 1, 0),
        "Magenta": (1, 0, 1),
    }
    states = json.loads((images / ".UELer" / "widget_states.json").read_text())
    one = states["marker_sets"][name]
    looks = [
        (colors[how["color"]], how["contrast_min"], how["contrast_max"])
        for how in (one["channel_settings"][channel] for channel in one["selected_channels"])
    ]
    return one["selected_channels"], looks


@pytest.mark.parametrize(("name", "step"), [("Tumour", 1), ("Immune", 1), ("Immune", 4)])
def test_fields_of_view_of_the_demo_library_are_as_the_reference_draws_them(
    demo_fields: Path, tmp_path: Path, name: str, step: int
) -> None:
    job = Job("fov", demo_fields, name, tmp_path, "png", {"downsample": step, "masks": ["whole_cell"]})
    assert job.start().state == "completed", job.results()
    channels, looks = limits_of(demo_fields, name)
    for result in job.results():
        fov = result.item_id
        planes = [tifffile.imread(demo_fields / fov / f"{one}.tiff") for one in channels]
        labels = tifffile.imread(demo_fields.parent / "masks" / f"{fov}_whole_cell.tiff")[::step, ::step]
        edges = reference.outline(labels, 1, step)
        right = reference.to_uint8(reference.blend(reference.composite(planes, looks, step), edges, (1, 1, 1), 1))
        np.testing.assert_array_equal(pixels_of(tmp_path / result.path), right)


def test_all_cells_of_the_demo_library_that_match_are_exported(demo_fields: Path, tmp_path: Path) -> None:
    table = (demo_fields.parent / "cell_table.csv").read_text().splitlines()
    header = table[0].split(",")
    rows = [dict(zip(header, line.split(","), strict=True)) for line in table[1:]]
    meant = [row for row in rows if row["cluster"] == "immune" and float(row["CD45"]) > 400]
    assert len(meant) > 500
    choice = {"data": demo_fields, "where": 'cluster == "immune" and CD45 > 400', "size": 32}
    job = Job("cells", choice, "Immune", tmp_path, "png")
    assert job.start().state == "completed"
    assert {result.item_id for result in job.results()} == {f"{row['fov']} cell {row['label']}" for row in meant}
    channels, looks = limits_of(demo_fields, "Immune")
    for row in meant[::200]:
        planes = [tifffile.imread(demo_fields / row["fov"] / f"{one}.tiff") for one in channels]
        center = float(row["centroid-1"]), float(row["centroid-0"])
        left, right, top, bottom = reference.crop_bounds(center, 32, planes[0].shape)
        crop = [plane[top:bottom, left:right] for plane in planes]
        found = pixels_of(tmp_path / f"{row['fov']}_cell_{row['label']}.png")
        np.testing.assert_array_equal(found, reference.to_uint8(reference.composite(crop, looks, 1)))


def test_regions_of_the_demo_library_have_their_own_marker_sets_and_masks(demo_fields: Path, tmp_path: Path) -> None:
    job = Job("rois", demo_fields, "Tumour", tmp_path, "png", {"scale_bar": True, "dpi": 300})
    assert job.start().state == "completed", job.results()
    bars = {result.details["scale_bar_um"] for result in job.results()}
    assert bars == {5.0}  # of 128 pixels of 0.5 µm a tenth is 6.4 µm
    assert DEMO_UM == 0.5
    sets = [row["marker_set"] for row in manifest_rows(tmp_path)]
    assert sets == ["Immune", "Tumour"] * 3


def manifest_rows(folder: Path) -> list[dict[str, str]]:
    import csv

    (path,) = folder.glob("manifest-*.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.samples
def test_a_real_field_of_view_is_as_the_reference_draws_it(samples: Path, tmp_path: Path) -> None:
    fov = samples / "mibi" / "fov8"
    markers = {
        "name": "given",
        "channels": [
            {"channel": "HH3", "color": "blue", "high": 20},
            {"channel": "CD45", "color": "green", "high": 6},
            {"channel": "NaK ATPase", "color": "#ff8000", "high": 9},
        ],
    }
    job = Job("fov", fov, markers, tmp_path, "tiff")
    assert job.start().state == "completed", job.results()
    names = ("HH3", "CD45", "NaK ATPase")
    planes = [tifffile.imread(fov / "TIFs" / f"{name}.tiff") for name in names]
    looks = [((0.0, 0.0, 1.0), 0.0, 20.0), ((0.0, 1.0, 0.0), 0.0, 6.0), ((1.0, 128 / 255, 0.0), 0.0, 9.0)]
    right = reference.to_uint8(reference.composite(planes, looks, 1))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "fov8.tif"), right)


@pytest.mark.parametrize("file_format", ["tiff", "ome-tiff"])
def test_a_picture_in_tiles_has_the_same_pixels(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_format: str
) -> None:
    overrides = {"masks": ["whole_cell"], "scale_bar": True}
    Job("fov", images / "A", "Two", tmp_path / "whole", file_format, overrides).start()
    monkeypatch.setattr("coverslip.export.encoding.LARGEST_AT_ONCE", 100)
    monkeypatch.setattr("coverslip.export.encoding.TILE", 16)
    monkeypatch.setattr("coverslip.export.opened.WHOLE_BYTES", 100)  # planes are read in parts then
    assert Job("fov", images / "A", "Two", tmp_path / "tiles", file_format, overrides).start().state == "completed"
    (whole,), (tiled,) = ((tmp_path / one).glob("*.tif") for one in ("whole", "tiles"))
    with tifffile.TiffFile(tiled) as file:
        assert file.pages.first.is_tiled
        np.testing.assert_array_equal(file.asarray(), tifffile.imread(whole))


def test_a_gallery_is_made_again_as_a_whole_when_something_was_missing(images: Path, tmp_path: Path) -> None:
    away = (images / "A" / "CD3.tiff").rename(tmp_path / "CD3.tiff")
    job = Job("fov", images, "Two", tmp_path / "out", "pdf", {"gallery": "1x2", "scale_bar": True})
    status = job.start()
    assert (status.state, status.succeeded) == ("partial", 1)
    pdf = tmp_path / "out" / "gallery.pdf"
    assert pictures_in(pdf) == 1
    away.rename(images / "A" / "CD3.tiff")
    assert job.resume(retry_failed=True).state == "completed"
    assert pictures_in(pdf) == 2
    assert [result.details["page"] for result in job.results()] == [1, 1]


def test_a_gallery_that_is_cancelled_leaves_no_file(images: Path, tmp_path: Path) -> None:
    choice = {"data": images, "size": 16}
    job = Job("cells", choice, "Two", tmp_path / "out", "pdf", {"gallery": "2x2", "per_second": 5})

    def cancel(_: ExportResult) -> None:
        job.cancel()

    job.on_item = cancel
    assert job.start().state == "cancelled"
    assert not list((tmp_path / "out").glob("*.pdf"))
    job.on_item = None
    assert job.resume().state == "completed"
    assert pictures_in(tmp_path / "out" / "gallery.pdf") == 6


def pictures_in(pdf: Path) -> int:
    return len(re.findall(rb"/Subtype\s*/Image", pdf.read_bytes()))
