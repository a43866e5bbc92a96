"""Channels beside each other in one figure, and in files of their own; decoded by other libraries."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.export import Job
from coverslip.model.exporting import ExportResult
from tests.export.making import LIMITS, expected, pixels_of, planes_of, roi, write_rois
from tests.export.test_pictures import MODES, box_of, items_of, manifest_rows

PLAIN = {"labels": "none", "gap": 3}
GREEN_TOO = {
    "name": "three",
    "channels": [
        {"channel": "DNA", "color": "blue", "low": 100, "high": 900},
        {"channel": "CD3", "color": "green", "low": 50, "high": 450},
        {"channel": "Anti-CD3", "color": "blue", "low": 0, "high": 1000},
    ],
}


def made(mode: Any, images: Path, out: Path, overrides: dict[str, Any], markers: Any = "Two", form: str = "png") -> Job:
    job = Job(mode, items_of(mode, images), markers, out, form, overrides)
    assert job.start().state == "completed", job.results()
    return job


@pytest.mark.parametrize("mode", MODES)
def test_panels_show_each_channel_and_then_all_of_them(images: Path, tmp_path: Path, mode: Any) -> None:
    job = made(mode, images, tmp_path, {"panels": PLAIN})
    found = pixels_of(tmp_path / job.results()[0].path)
    planes, box = planes_of(1), box_of(mode)
    panels = [expected(planes, names, box) for names in (("DNA",), ("CD3",), ("DNA", "CD3"))]
    gap = np.full((panels[0].shape[0], 3, 3), 255, np.uint8)
    np.testing.assert_array_equal(found, np.hstack([panels[0], gap, panels[1], gap, panels[2]]))
    dry = Job(mode, items_of(mode, images), "Two", tmp_path / "dry", "png", {"panels": PLAIN}).dry_run().files[0]
    assert abs((dry.width or 0) - found.shape[1]) <= 6


def test_panels_stand_in_rows_in_white_and_without_the_merge(images: Path, tmp_path: Path) -> None:
    look = {**PLAIN, "columns": 2, "colors": "white", "merge": "first"}
    job = made("fov", images, tmp_path / "first", {"panels": look, "margin_color": "#102030"})
    found = pixels_of(tmp_path / "first" / job.results()[0].path)
    assert found.shape == (83, 123, 3)
    np.testing.assert_array_equal(found[:40, :60], expected(planes_of(1), ("DNA", "CD3")))
    assert (found[40:43] == [0x10, 0x20, 0x30]).all()
    low, high = LIMITS["CD3"][1:]
    grey = np.clip((planes_of(1)["CD3"].astype(np.float32) - np.float32(low)) / np.float32(high - low), 0, 1)
    np.testing.assert_array_equal(found[43:, :60], np.repeat((grey * 255).astype(np.uint8)[..., None], 3, axis=2))
    assert (found[43:, 63:] == [0x10, 0x20, 0x30]).all()  # the second row has one panel less
    made("fov", images, tmp_path / "none", {"panels": {**PLAIN, "merge": "none"}})
    assert pixels_of(tmp_path / "none" / "B.png").shape == (40, 123, 3)


def test_channels_of_one_colour_share_a_panel_and_a_single_one_has_no_merge(images: Path, tmp_path: Path) -> None:
    made("fov", images, tmp_path / "same", {"panels": {**PLAIN, "same_color": True}}, GREEN_TOO)
    assert pixels_of(tmp_path / "same" / "B.png").shape == (40, 3 * 60 + 2 * 3, 3)
    one = {"name": "one", "channels": GREEN_TOO["channels"][:1]}
    made("fov", images, tmp_path / "one", {"panels": PLAIN}, one)
    assert pixels_of(tmp_path / "one" / "B.png").shape == (40, 60, 3)


@pytest.mark.parametrize("labels", ["inside", "above"])
def test_panels_are_labelled_with_vectors_in_svg(images: Path, tmp_path: Path, labels: str) -> None:
    look = {"panels": {"labels": labels, "merge_label": "All"}, "scale_bar": {"length_um": 3, "label": False}}
    made("fov", images, tmp_path, look, form="svg")
    text = (tmp_path / "B.svg").read_text("utf-8")
    assert re.findall(r"<text[^>]*>([^<]+)</text>", text) == ["DNA", "CD3", "All"]
    places = [float(x) for x in re.findall(r'<text x="([\d.]+)"', text)]
    assert 0 <= places[0] < 60 < places[1] < 120 < places[2]
    assert len(re.findall(r'<rect[^>]*width="6"', text)) == 1  # 3 µm of 0.5 µm, in the last panel alone


def test_labels_may_have_a_box_behind_them(images: Path, tmp_path: Path) -> None:
    look = {"panels": {"backing": "#ff00ff", "backing_alpha": 1, "gap": 3, "labels": "inside"}}
    made("fov", images, tmp_path, look, form="svg")
    boxes = re.findall(
        r'<rect x="(\d+)" y="\d+" width="(\d+)"[^>]*fill="#ff00ff"', (tmp_path / "B.svg").read_text("utf-8")
    )
    assert [int(x) // 63 for x, _ in boxes] == [0, 1, 2]
    assert all(int(x) % 63 + int(width) <= 60 for x, width in boxes)


@pytest.mark.parametrize(("where", "count"), [("merge", 1), ("all", 3)])
def test_the_scale_bar_of_panels_is_true_and_in_the_panels_it_is_asked_for(
    images: Path, tmp_path: Path, where: str, count: int
) -> None:
    bar = {"length_um": 5, "label": False, "color": "#ff00ff", "thickness": 2, "margin": 4}
    job = made("fov", images, tmp_path, {"panels": {**PLAIN, "scale_bar": where}, "scale_bar": bar})
    found = pixels_of(tmp_path / "B.png")
    drawn = (found == [255, 0, 255]).all(axis=-1)
    assert drawn[34:36].all(axis=0).sum() == count * 10
    assert drawn[34, 2 * 63 + 46 : 2 * 63 + 56].all()
    assert job.results()[0].details["scale_bar_um"] == 5


def test_masks_may_be_in_the_merge_alone(images: Path, tmp_path: Path) -> None:
    made("fov", images, tmp_path, {"panels": {**PLAIN, "overlays": "merge"}, "masks": "whole_cell"})
    found = pixels_of(tmp_path / "B.png")
    np.testing.assert_array_equal(found[:, :60], expected(planes_of(1), ("DNA",)))
    assert (found[5, 2 * 63 + 4 : 2 * 63 + 14] == 255).all()  # the upper edge of cell 1


def test_panels_are_not_pixels_as_they_are(images: Path, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="have no panels"):
        Job("fov", images, "Two", tmp_path, "ome-zarr", {"panels": True})
    with pytest.raises(Exception, match="not both"):
        Job("fov", images, "Two", tmp_path, "png", {"panels": True, "separate": True})


@pytest.mark.parametrize("mode", MODES)
def test_each_channel_is_a_file_and_all_of_them_another(images: Path, tmp_path: Path, mode: Any) -> None:
    job = made(mode, images, tmp_path, {"separate": {"merge": True}})
    stem = {"fov": "B", "cells": "B_cell_2", "rois": "B_roi_r"}[mode]
    assert [one.path for one in job.results()] == [f"{stem}_DNA.png", f"{stem}_CD3.png", f"{stem}.png"]
    planes, box = planes_of(1), box_of(mode)
    for result, names in zip(job.results(), (("DNA",), ("CD3",), ("DNA", "CD3")), strict=True):
        np.testing.assert_array_equal(pixels_of(tmp_path / result.path), expected(planes, names, box))


def test_channels_of_one_colour_share_a_file_and_templates_may_name_the_channel(images: Path, tmp_path: Path) -> None:
    job = made("fov", images, tmp_path / "a", {"separate": {"same_color": True}}, GREEN_TOO)
    assert [one.path for one in job.results()] == ["B_merged_DNA_Anti-CD3.png", "B_CD3.png"]
    job = made("fov", images, tmp_path / "b", {"separate": True, "name": "{channel}/{fov}"})
    assert [one.path for one in job.results()] == ["DNA/B.png", "CD3/B.png"]
    assert [row["marker_set"] for row in manifest_rows(tmp_path / "b")] == ["Two", "Two"]


def test_separate_channels_as_they_are_have_a_file_each(images: Path, tmp_path: Path) -> None:
    job = made("fov", images, tmp_path, {"separate": True, "raw": True}, form="tiff")
    for result, name in zip(job.results(), ("DNA", "CD3"), strict=True):
        np.testing.assert_array_equal(tifffile.imread(tmp_path / result.path), planes_of(1)[name])


def test_a_channel_that_is_not_there_fails_its_own_file_alone(images: Path, tmp_path: Path) -> None:
    (images / "B" / "CD3.tiff").unlink()
    job = Job("fov", images, "Two", tmp_path, "png", {"separate": True})
    assert job.start().state == "partial"
    failed: list[ExportResult] = [one for one in job.results() if not one.ok]
    assert [(one.item_id, one.error_type) for one in failed] == [("B CD3", "MissingChannelError")]


def test_the_shape_of_a_region_is_drawn_where_it_is_asked_for(images: Path, tmp_path: Path) -> None:
    geometry = '{"type": "polygon", "closed": true, "points": [[20, 10], [40, 10], [40, 30], [20, 30]]}'
    write_rois(images, [roi("p", "B", (10, 50, 5, 35), geometry=geometry)])
    look = {"shape": {"outline": False, "clip": True}, "background": "#00ffff"}
    job = Job("rois", images, "Two", tmp_path, "png", look)
    assert job.start().state == "completed", job.results()
    found = pixels_of(tmp_path / "B_roi_p.png")
    right = np.full((30, 40, 3), (0, 255, 255), np.uint8)
    right[5:25, 10:30] = expected(planes_of(1), ("DNA", "CD3"), (20, 10, 40, 30))
    inner = (slice(6, 24), slice(11, 29))
    np.testing.assert_array_equal(found[inner], right[inner])
    assert (found[:4] == [0, 255, 255]).all()
    assert (found[:, 32:] == [0, 255, 255]).all()
