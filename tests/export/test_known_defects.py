"""What goes wrong in the batch export of the viewer whose folders we read, and must not here.

The numbers are those of its list of defects; 10 and 14 are about its widgets. What is about drawing alone is tried on
more places and steps in ``tests/render/export/test_known_defects.py``.
"""

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from coverslip.export import Job
from tests.export.making import (
    channel,
    expected,
    mask,
    pixels_of,
    planes_of,
    roi,
    write_fields,
    write_plane,
    write_rois,
)
from tests.render.export import reference


def test_1_small_crops_at_the_defaults_have_their_scale_bar(images: Path, tmp_path: Path) -> None:
    choice = {"data": images, "size": 32, "ids": [2]}
    Job("cells", choice, "Two", tmp_path / "with", "png", {"scale_bar": True, "dpi": 300}).start()
    Job("cells", choice, "Two", tmp_path / "bar", "png", {"scale_bar": {"label": False}}).start()
    Job("cells", choice, "Two", tmp_path / "without", "png").start()
    labelled, drawn, bare = (pixels_of(tmp_path / one / "A_cell_2.png") for one in ("with", "bar", "without"))
    assert labelled.shape == drawn.shape == bare.shape
    assert (labelled != bare).sum() > (drawn != bare).sum() > 0
    # a tenth of 32 pixels of 0.5 µm is 1.6 µm: a bar of 1 µm, 2 pixels wide and 2 high
    white = (drawn == 255).all(axis=-1) & ~(bare == 255).all(axis=-1)
    assert (white.any(axis=0).sum(), white.any(axis=1).sum()) == (2, 2)


@pytest.mark.parametrize(("step", "length"), [(1, 2.0), (2, 2.0), (4, 2.0)])
def test_2_downsampling_counts_once_in_the_scale_bar(tmp_path: Path, step: int, length: float) -> None:
    images = write_fields(tmp_path / "data", names=("A",))
    job = Job("fov", images, "Two", tmp_path / "out", "png", {"scale_bar": True, "downsample": step})
    assert job.start().state == "completed"
    # 60 pixels of 0.5 µm are 30 µm, however many pixels show them: a tenth is 3 µm
    details = job.results()[0].details
    assert details["scale_bar_um"] == length
    assert details["scale_bar_px"] == round(length / (0.5 * step))


@pytest.mark.parametrize("step", [1, 2, 4])
def test_3_an_ome_tiff_is_whole_at_every_downsampling(tmp_path: Path, step: int) -> None:
    planes = np.stack([channel(1), channel(2)])
    path = tmp_path / "field.ome.tif"
    tifffile.imwrite(path, planes, metadata={"axes": "CYX", "Channel": {"Name": ["DNA", "CD3"]}})
    markers = {
        "selected_channels": ["DNA"],
        "channel_settings": {"DNA": {"color": "Blue", "contrast_min": 100, "contrast_max": 900}},
    }
    job = Job("fov", path, markers, tmp_path / "out", "png", {"downsample": step})
    assert job.start().state == "completed", job.results()
    right = expected({"DNA": planes[0]}, ("DNA",), step=step)
    np.testing.assert_array_equal(pixels_of(tmp_path / "out" / "field.png"), right)


def test_4_a_channel_is_found_by_its_exact_name(images: Path, tmp_path: Path) -> None:
    assert Job("fov", images, "Other", tmp_path / "anti").start().state == "completed"
    right = expected(planes_of(0), ("Anti-CD3",))
    np.testing.assert_array_equal(pixels_of(tmp_path / "anti" / "A.png"), right)
    (images / "A" / "Anti-CD3.tiff").unlink()
    job = Job("fov", images, "Other", tmp_path / "none")
    assert job.start().state == "partial"
    assert job.results()[0].error_type == "MissingChannelError"


def test_5_regions_of_one_name_have_a_file_each(images: Path, tmp_path: Path) -> None:
    boxes = [(0, 10, 0, 10), (10, 20, 0, 10), (20, 30, 0, 10)]
    names = ["tumour 1", "tumour 1", "tumour/1"]
    write_rois(
        images, [roi(name, "A", box, roi_id=f"id{n}") for n, (name, box) in enumerate(zip(names, boxes, strict=True))]
    )
    job = Job("rois", images, "Two", tmp_path / "out")
    assert job.start().succeeded == 3
    paths = [result.path for result in job.results()]
    assert paths == ["A_roi_tumour_1.png", "A_roi_tumour_1_2.png", "A_roi_tumour_1_3.png"]
    for path, (x0, x1, y0, y1) in zip(paths, boxes, strict=True):
        right = expected(planes_of(0), ("DNA", "CD3"), (x0, y0, x1, y1))
        np.testing.assert_array_equal(pixels_of(tmp_path / "out" / path), right)


@pytest.mark.parametrize("left", [0, 1, 3])
def test_6_image_and_masks_are_in_register_wherever_a_region_begins(images: Path, tmp_path: Path, left: int) -> None:
    write_plane(images / "A" / "DNA.tiff", np.where(mask() > 0, 900, 100).astype(np.uint16))
    write_rois(images, [roi("r", "A", (left, left + 50, 2 + left, 38))])
    markers = {"selected_channels": ["DNA"], "channel_settings": {"DNA": {"color": "Blue", "contrast_min": 100}}}
    fill = {"mask": "whole_cell", "mode": "fill", "color": "red", "alpha": 0.5}
    job = Job("rois", images, markers, tmp_path / "out", overrides={"downsample": 4, "masks": [fill]})
    assert job.start().state == "completed", job.results()
    found = pixels_of(tmp_path / "out" / "A_roi_r.png")
    np.testing.assert_array_equal(found[..., 0] > 0, found[..., 2] > 0)
    np.testing.assert_array_equal(found[..., 0] > 0, mask()[2 + left : 38 : 4, left : left + 50 : 4] > 0)


@pytest.mark.parametrize("box", [(100, 120, 0, 20), (5, 5, 0, 20), (-30, -10, 0, 20)])
def test_7_a_region_outside_fails(images: Path, tmp_path: Path, box: tuple[float, ...]) -> None:
    write_rois(images, [roi("r", "A", (box[0], box[1], box[2], box[3]))])
    job = Job("rois", images, "Two", tmp_path / "out")
    assert job.start().state == "failed"
    assert job.results()[0].error_type == "OutsideImageError"
    assert not list((tmp_path / "out").glob("*.png"))


def test_8_coloured_cells_lie_on_the_image_where_a_region_begins_outside(images: Path, tmp_path: Path) -> None:
    write_rois(images, [roi("edge", "A", (-7.6, 20.2, -3.5, 14.1))])
    classes = [{"value": "immune", "color": "red", "alpha": 0.5}]
    cells = {"mask": "whole_cell", "column": "cluster", "classes": classes, "borders": False}
    job = Job("rois", images, "Two", tmp_path / "out", overrides={"cells": cells})
    assert job.start().state == "completed", job.results()
    part = slice(0, 15), slice(0, 21)  # edges are rounded away from the middle, then cut at the image
    planes = [planes_of(0)[name][part] for name in ("DNA", "CD3")]
    total = reference.composite(planes, [((0, 0, 1), 100, 900), ((0, 1, 0), 50, 450)], 1)
    right = reference.to_uint8(reference.cells(total, mask()[part], {1: ((1, 0, 0), 0.5, False)}, 1, 1, 0))
    found = pixels_of(tmp_path / "out" / "A_roi_edge.png")
    assert (found[..., 0] > 0).sum() == 100  # cell 1, ten by ten
    np.testing.assert_array_equal(found, right)


def test_9_nothing_is_written_beside_the_data(images: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in images.parent.rglob("*")}
    assert Job("cells", {"data": images, "size": 16}, "Two", tmp_path / "out").start().state == "completed"
    assert {path: path.stat().st_mtime_ns for path in images.parent.rglob("*")} == before


def test_11_somebody_who_reads_an_image_meanwhile_gets_their_own_pixels(images: Path, tmp_path: Path) -> None:
    import coverslip

    job = Job("cells", {"data": images, "size": 16}, "Two", tmp_path / "out", overrides={"per_second": 20})
    job.start(background=True)
    with coverslip.open_image(images / "B") as file:
        while job.status().state in {"pending", "running"}:
            names = [one.name for one in file.images[0].metadata.channels]
            plane = file.images[0].plane(c=names.index("DNA"))
            np.testing.assert_array_equal(plane, planes_of(1)["DNA"])
    assert job.wait().state == "completed"


def test_12_fields_that_are_done_are_let_go_of(tmp_path: Path) -> None:
    """Of many fields only those under way, and the last one, are held in memory."""
    from coverslip.export.opened import OpenSource, Sources
    from coverslip.export.sources import Source
    from coverslip.readers import open_image

    images = write_fields(tmp_path / "data", names=[f"F{n}" for n in range(8)])
    opened: list[OpenSource] = []
    closed = []

    def open_source(source: Source) -> OpenSource:
        one = OpenSource(source, open_image)
        usual = one.close

        def close() -> None:
            closed.append(source.fov)
            usual()

        one.close = close  # type: ignore[method-assign]  # counts, and closes
        opened.append(one)
        return one

    sources = Sources(open_source)
    for n in range(8):
        with sources.hold(Source(f"F{n}", images / f"F{n}")) as one:
            assert one.channels["DNA"].shape == (40, 60)
        assert len(opened) - len(closed) <= 1
    sources.close()
    assert len(closed) == 8


def test_13_files_say_how_they_were_made_and_how_large_they_are(images: Path, tmp_path: Path) -> None:
    from PIL import Image

    Job("fov", images / "A", "Two", tmp_path / "png", "png", {"dpi": 150}).start()
    with Image.open(tmp_path / "png" / "A.png") as picture:
        assert picture.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert picture.info["Marker set"] == "Two"
    Job("fov", images / "A", "Two", tmp_path / "tif", "tiff", {"dpi": 150}).start()
    with tifffile.TiffFile(tmp_path / "tif" / "A.tif") as file:
        numerator, denominator = file.pages.first.tags["XResolution"].value
        assert numerator / denominator == pytest.approx(150)


def test_a_job_that_runs_is_not_changed_by_later_edits(images: Path, tmp_path: Path) -> None:
    job = Job("cells", {"data": images, "size": 16}, "Two", tmp_path / "out", overrides={"per_second": 10})
    job.start(background=True)
    (images / ".UELer" / "widget_states.json").write_text("{}")
    (images.parent / "cell_table.csv").unlink()
    assert job.wait(30).state == "completed"
    right = expected(planes_of(1), ("DNA", "CD3"), (22, 14, 38, 30))
    np.testing.assert_array_equal(pixels_of(tmp_path / "out" / "B_cell_2.png"), right)


def test_two_identical_items_are_two_results(images: Path, tmp_path: Path) -> None:
    table = tmp_path / "cells.csv"
    table.write_text("fov,label,centroid-0,centroid-1\nA,1,20,20\nA,1,20,20\n")
    job = Job("cells", {"data": images, "table": table, "size": 8}, "Two", tmp_path / "out")
    status = job.start()
    assert (status.total, status.completed, len(job.results())) == (2, 2, 2)
    assert [result.path for result in job.results()] == ["A_cell_1.png", "A_cell_1_2.png"]


def test_a_job_in_the_background_leaves_its_caller_free(images: Path, tmp_path: Path) -> None:
    job = Job("cells", {"data": images, "size": 16}, "Two", tmp_path / "out", overrides={"per_second": 4})
    began = time.monotonic()
    job.start(background=True)
    assert time.monotonic() - began < 1
    assert any(thread.name.startswith("export") for thread in threading.enumerate())
    job.cancel()
    assert job.wait(20).state == "cancelled"


def test_fields_with_other_channels_and_sizes_are_exported_each_as_it_is(images: Path, tmp_path: Path) -> None:
    for name in ("DNA", "CD3", "Anti-CD3"):
        write_plane(images / "B" / f"{name}.tiff", np.full((20, 30), 500, np.uint16))
    (images.parent / "masks" / "B_whole_cell.tiff").unlink()
    assert Job("fov", images, "Two", tmp_path / "out").start().state == "completed"
    assert pixels_of(tmp_path / "out" / "A.png").shape == (40, 60, 3)
    assert pixels_of(tmp_path / "out" / "B.png").shape == (20, 30, 3)
