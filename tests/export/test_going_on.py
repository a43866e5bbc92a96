"""What a job that goes on may take for its own, and what it finds that is not as it was."""

import csv
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coverslip.catalog import Catalog
from coverslip.export import Job
from tests.export.making import pixels_of, roi, write_rois
from tests.export.test_jobs import digests

COLOURS = {
    "mask": "whole_cell",
    "column": "cluster",
    "classes": [{"value": "immune", "color": "#FF0000"}, {"value": "tumour", "color": "#00FF00"}],
}
"""Cells in colours of their own."""


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}", versions={}) as opened:
        yield opened


def swap_clusters(images: Path) -> None:
    """Edit the cell table: the other colour for every cell."""
    table = images.parent / "cell_table.csv"
    text = table.read_text().replace("immune", "x").replace("tumour", "immune").replace("x", "tumour")
    table.write_text(text)
    os.utime(table, ns=(1, 1))


# ---- cell tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["start", "resume", "manifest"])
def test_colours_of_cells_are_not_taken_from_a_table_that_has_changed(
    images: Path, tmp_path: Path, catalog: Catalog, how: str
) -> None:
    first = tmp_path / "first"
    job = Job("fov", images, "Two", first, overrides={"cells": COLOURS, "workers": 1}, catalog=catalog)
    job.dry_run()
    if how == "start":
        swap_clusters(images)
        job.start()
    elif how == "resume":
        assert job.start().state == "completed"
        (first / "A.png").unlink()
        swap_clusters(images)
        job = Job.kept(job.id, catalog)
        job.resume()
    else:
        job.start()
        swap_clusters(images)
        (manifest,) = first.glob("manifest-*.json")
        job = Job.from_manifest(manifest, tmp_path / "second")
        job.start()
    failed = [result for result in job.results() if not result.ok]
    assert {result.error_type for result in failed} == {"SourceChangedError"}
    assert all("cell_table.csv has changed since the export was planned" in (one.message or "") for one in failed)
    assert len(failed) == (1 if how == "resume" else 2)


def test_a_table_that_colours_nothing_may_change_and_one_that_does_may_be_used_as_it_is(
    images: Path, tmp_path: Path
) -> None:
    plain = Job("cells", {"data": images, "size": 16}, "Two", tmp_path / "plain")
    bold: dict[str, Any] = {"cells": COLOURS, "changed": "use"}
    coloured = Job("fov", images, "Two", tmp_path / "coloured", overrides=bold)
    plain.dry_run()
    coloured.dry_run()
    swap_clusters(images)
    assert plain.start().state == "completed"
    assert coloured.start().state == "completed"
    np.testing.assert_array_equal(pixels_of(tmp_path / "coloured" / "A.png")[5, 4], (0, 255, 0))
    assert set(digests(tmp_path / "coloured")) == {"A.png", "B.png"}


# ---- files that are there ------------------------------------------------------------------------------------------


def stopped_after_one(job: Job) -> Job:
    """Run a job and cancel it when the first item is done."""

    def cancel(_: object) -> None:
        job.cancel()

    job.on_item = cancel
    assert job.start().state == "cancelled"
    job.on_item = None
    return job


@pytest.mark.parametrize("existing", ["refuse", "skip"])
def test_a_file_that_somebody_else_has_put_there_meanwhile_is_not_overwritten(
    images: Path, tmp_path: Path, catalog: Catalog, existing: str
) -> None:
    out = tmp_path / "out"
    overrides = {"workers": 1, "per_second": 1, "existing": existing}
    job = stopped_after_one(Job("fov", images, "Two", out, overrides=overrides, catalog=catalog))
    (out / "B.png").write_bytes(b"mine")
    job = Job.kept(job.id, catalog)
    assert job.resume().state == "partial"
    assert (out / "B.png").read_bytes() == b"mine"
    assert job.results()[1].error_type == "FileThereError"
    assert "B.png is there and was not written by this export" in (job.results()[1].message or "")
    assert job.resume(retry_failed=True).state == "partial"
    (out / "B.png").unlink()
    assert Job.kept(job.id, catalog).resume(retry_failed=True).state == "completed"
    assert not list(out.glob(".tmp-*"))


@pytest.mark.parametrize("form", ["png", "tiff", "ome-tiff", "pdf", "svg", "ome-zarr"])
def test_what_a_killed_process_wrote_and_did_not_note_is_known_by_its_bytes(
    images: Path, tmp_path: Path, catalog: Catalog, form: str
) -> None:
    out = tmp_path / "out"
    Job("fov", images / "B", "Two", tmp_path / "other", form).start()
    (made,) = (path for path in (tmp_path / "other").iterdir() if not path.name.startswith("manifest-"))
    overrides = {"workers": 1, "per_second": 1}
    job = stopped_after_one(Job("fov", images, "Two", out, form, overrides, catalog=catalog))
    made.rename(out / made.name)
    assert job.resume().state == "completed"
    assert not list(out.glob(".tmp-*"))


def test_files_may_be_replaced_that_appear_meanwhile_where_that_was_said(images: Path, tmp_path: Path) -> None:
    overrides = {"workers": 1, "per_second": 1, "existing": "replace"}
    job = stopped_after_one(Job("fov", images, "Two", tmp_path, overrides=overrides))
    (tmp_path / "B.png").write_bytes(b"mine")
    assert job.resume().state == "completed"
    assert (tmp_path / "B.png").read_bytes() != b"mine"


@pytest.mark.parametrize("existing", ["refuse", "skip"])
def test_a_gallery_does_not_replace_the_pdf_of_somebody_else(images: Path, tmp_path: Path, existing: str) -> None:
    overrides = {"gallery": "1x1", "workers": 1, "per_second": 2, "existing": existing}
    job = stopped_after_one(Job("fov", images, "Two", tmp_path, "pdf", overrides))
    pdf = tmp_path / "gallery.pdf"
    pdf.write_bytes(b"mine")
    status = job.resume()
    assert status.state == "paused"
    assert "gallery.pdf is there and was not written by this export" in (status.message or "")
    assert pdf.read_bytes() == b"mine"
    pdf.unlink()
    assert job.resume().state == "completed"
    right = pdf.read_bytes()
    pdf.write_bytes(right[:-9])
    assert job.resume().state == "completed"  # its own, torn: made again
    assert pdf.read_bytes() == right


def test_a_page_of_somebody_else_is_not_replaced(images: Path, tmp_path: Path) -> None:
    overrides = {"contact_sheet": True, "workers": 1, "per_second": 1}
    job = stopped_after_one(Job("fov", images, "Two", tmp_path, overrides=overrides))
    page = tmp_path / f"contact-sheet-{job.id[:8]}.html"
    page.write_text("mine")
    status = job.resume()
    assert status.state == "completed"
    assert "was not written by this export" in (status.message or "")
    assert page.read_text() == "mine"


@pytest.mark.parametrize("existing", ["refuse", "skip", "replace"])
def test_a_file_of_the_job_that_was_cut_off_is_made_again(
    images: Path, tmp_path: Path, catalog: Catalog, existing: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    if existing == "skip":
        (out / "A.png").write_bytes(b"mine")
    job = Job("fov", images, "Two", out, overrides={"existing": existing}, catalog=catalog)
    assert job.start().state == "completed"
    right = digests(out)
    (out / "B.png").write_bytes((out / "B.png").read_bytes()[:50])
    job = Job.kept(job.id, catalog)
    assert job.resume().state == "completed"
    assert digests(out) == right
    assert [bool(one.details.get("kept")) for one in job.results()] == [existing == "skip", False]


def test_a_kept_file_that_its_owner_edits_is_kept_again(images: Path, tmp_path: Path) -> None:
    (tmp_path / "A.png").write_bytes(b"mine")
    job = Job("fov", images, "Two", tmp_path, overrides={"existing": "skip"})
    job.start()
    (tmp_path / "A.png").write_bytes(b"mine, edited")
    assert job.resume().state == "completed"
    assert (tmp_path / "A.png").read_bytes() == b"mine, edited"
    assert job.results()[0].size == 12


# ---- what is said of files that were kept --------------------------------------------------------------------------


@pytest.mark.parametrize("gallery", [None, "1x1"])
def test_nothing_is_said_of_what_kept_files_show(images: Path, tmp_path: Path, gallery: str | None) -> None:
    out = tmp_path / "out"
    out.mkdir()
    form, name = ("png", "A.png") if gallery is None else ("pdf", "gallery.pdf")
    (out / name).write_bytes(b"mine")
    overrides = {"existing": "skip", "gallery": gallery, "contact_sheet": True, "scale_bar": True}
    Job("fov", images, "Two", out, form, overrides).start()
    (path,) = out.glob("manifest-*.json")
    document = json.loads(path.read_text("utf-8"))
    first, second = document["items"]
    assert first["state"] == "kept"
    assert "document" not in first
    assert first["planned"]["values"]["marker_set"] == "Two"  # how it would be made
    assert first["sha256"] == hashlib.sha256(b"mine").hexdigest()
    assert second["state"] == ("ok" if gallery is None else "kept")
    with path.with_suffix(".csv").open(encoding="utf-8", newline="") as stream:
        row = next(csv.DictReader(stream))
    filled = {key: value for key, value in row.items() if value}
    assert filled.keys() == {"number", "item", "file", "state", "sha256", "bytes", "seconds", "attempts"}
    assert (row["item"], row["file"], row["state"], row["bytes"]) == ("A", name, "kept", "4")
    (page,) = out.glob("contact-sheet-*.html")
    assert page.read_text().count("kept: this file was there already") == (1 if gallery is None else 2)
    again = Job.from_manifest(path, tmp_path / "two")
    assert again.start().state == "completed"
    assert not any(result.is_kept for result in again.results())


# ---- sources that were repaired ------------------------------------------------------------------------------------


def cut_off(path: Path) -> bytes:
    """Cut a file off, and return what it was."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return data


def test_what_was_copied_again_is_exported_and_what_was_drawn_before_is_named(
    images: Path, tmp_path: Path, catalog: Catalog
) -> None:
    Job("cells", {"data": images, "size": 16}, "Two", tmp_path / "right").start()
    data = cut_off(images / "A" / "CD3.tiff")
    job = Job("cells", {"data": images, "size": 16}, "Two", tmp_path / "out", catalog=catalog)
    assert job.start().failed == 3
    (images / "A" / "CD3.tiff").write_bytes(data)
    job = Job.kept(job.id, catalog)
    assert job.resume(retry_failed=True).state == "completed"
    assert job.notes == ()
    assert digests(tmp_path / "out") == digests(tmp_path / "right")
    (path,) = (tmp_path / "out").glob("manifest-*.json")
    source = json.loads(path.read_text())["sources"][0]
    channel = str(images / "A" / "CD3.tiff")
    assert source["fingerprint"][channel] == [len(data), (images / "A" / "CD3.tiff").stat().st_mtime_ns]
    assert source["before"][0]["fingerprint"][channel][0] == len(data) // 2
    assert source["before"][0]["items"] == []
    assert Job.from_manifest(path, tmp_path / "again").start().state == "completed"


def test_items_that_were_drawn_before_a_repair_are_named(images: Path, tmp_path: Path, catalog: Catalog) -> None:
    write_rois(
        images, [roi("one", "A", (0, 20, 0, 20), marker_set="Other"), roi("two", "A", (0, 20, 0, 20), marker_set="Two")]
    )
    data = cut_off(images / "A" / "CD3.tiff")
    job = Job("rois", images, "Two", tmp_path / "out", catalog=catalog)
    assert job.start().state == "partial"  # the first one does not show the channel
    (images / "A" / "CD3.tiff").write_bytes(data)
    job = Job.kept(job.id, catalog)
    assert job.resume(retry_failed=True).state == "completed"
    assert job.notes == ("A has changed; drawn from it as it was before: A one (1 in all)",)
    (path,) = (tmp_path / "out").glob("manifest-*.json")
    assert json.loads(path.read_text())["sources"][0]["before"][0]["items"] == [0]


@pytest.mark.parametrize("what", ["channel", "table"])
def test_what_has_changed_is_used_where_somebody_says_so(images: Path, tmp_path: Path, what: str) -> None:
    job = Job("fov", images / "A", "Two", tmp_path / "out", overrides={"cells": COLOURS})
    job.dry_run()
    if what == "channel":
        os.utime(images / "A" / "DNA.tiff", ns=(1, 1))
    else:
        swap_clusters(images)
    assert job.start().state == "failed"
    assert job.resume(retry_failed=True).state == "failed"
    assert job.results()[0].error_type == "SourceChangedError"
    assert job.resume(retry_failed=True, changed="use").state == "completed"
