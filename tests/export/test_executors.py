"""Threads, processes and a real Dask cluster make the same bytes, of files, folders and galleries."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from coverslip.errors import SettingsError
from coverslip.export import Job
from coverslip.export.writing import digest
from coverslip.model.exporting import ExportResult
from coverslip.render.export import figure_of
from tests.export.making import roi, write_fields, write_rois
from tests.export.test_jobs import digests
from tests.export.test_maps import PLACES, entry, on_map, write_map

pytest.importorskip("distributed")

KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("png", {"scale_bar": True, "masks": "whole_cell"}),
    "ome-zarr": ("ome-zarr", {"masks": "whole_cell"}),
    "tiff as it is": ("tiff", {"raw": True}),
    "panels": ("svg", {"panels": True}),
    "separate": ("webp", {"separate": {"merge": True}}),
    "gallery": ("pdf", {"gallery": "2x2", "scale_bar": True, "caption": {"template": "{fov}"}}),
    "contact sheet": ("png", {"contact_sheet": True}),
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    from distributed import LocalCluster

    with LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=1, threads_per_worker=2, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as running:
        yield running.scheduler_address.replace("tcp://", "dask://")


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as found:
        yield found


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> Path:
    images = write_fields(tmp_path_factory.mktemp("fields"), names=tuple(PLACES))
    write_map(images, [entry(name) for name in PLACES])
    write_rois(images, [on_map("m", (20, 90, 0, 60)), roi("r", "B", (5, 45, 0, 30))])
    return images


def made(fields: Path, out: Path, kind: str, mode: Any = "cells", **more: Any) -> dict[str, str]:
    form, look = KINDS[kind]
    executor = more.pop("executor", None)
    items = {"data": fields, "size": 12} if mode == "cells" else fields
    job = Job(mode, items, "Two", out, form, {**look, **more})
    status = job.start(executor=executor)
    assert status.state == "completed", (status.message, job.results())
    assert not list(out.glob(".tmp-*"))
    return nameless(out, job)


def nameless(out: Path, job: Job) -> dict[str, str]:
    """Return digests of files as if every job were called the same; a contact sheet says which job made it."""
    for page in out.glob("contact-sheet-*.html"):
        page.write_bytes(page.read_bytes().replace(job.id.encode(), b"ID"))
    return {name.replace(job.id[:8], "ID"): checksum for name, checksum in digests(out).items()}


@pytest.mark.parametrize("kind", KINDS)
def test_a_dask_cluster_makes_the_same_files(fields: Path, tmp_path: Path, cluster: str, kind: str) -> None:
    here = made(fields, tmp_path / "here", kind)
    assert made(fields, tmp_path / "there", kind, workers=3) == here
    form, look = KINDS[kind]
    job = Job("cells", {"data": fields, "size": 12}, "Two", tmp_path / "dask", form, {**look, "executor": cluster})
    assert job.start().state == "completed", job.results()
    assert nameless(tmp_path / "dask", job) == here


@pytest.mark.parametrize("kind", ["ome-zarr", "gallery", "separate"])
def test_another_process_makes_the_same_files(
    fields: Path, tmp_path: Path, pool: ProcessPoolExecutor, kind: str
) -> None:
    assert made(fields, tmp_path / "there", kind, executor=pool) == made(fields, tmp_path / "here", kind)


@pytest.mark.parametrize("kind", ["png", "gallery", "ome-zarr"])
def test_regions_of_maps_are_the_same_wherever_they_are_made(
    fields: Path, tmp_path: Path, cluster: str, kind: str
) -> None:
    form, look = KINDS[kind]
    here = made(fields, tmp_path / "here", kind, "rois")
    job = Job("rois", fields, "Two", tmp_path / "dask", form, {**look, "executor": cluster})
    assert job.start().state == "completed", job.results()
    assert digests(tmp_path / "dask") == here


def test_cancelling_reaches_a_cluster(fields: Path, tmp_path: Path, cluster: str) -> None:
    choice = {"data": fields, "size": 12}
    job = Job("cells", choice, "Two", tmp_path, "png", {"executor": cluster, "per_second": 2, "workers": 1})
    job.start(background=True)
    until = time.monotonic() + 30
    while not list(tmp_path.glob("*.png")) and time.monotonic() < until:
        time.sleep(0.02)
    job.cancel()
    assert job.wait(30).state == "cancelled"
    assert 1 <= len(list(tmp_path.glob("*.png"))) < 9
    assert job.resume().state == "completed"
    assert len(list(tmp_path.glob("*.png"))) == 9


def test_a_damaged_field_fails_its_own_items_on_a_cluster_too(tmp_path: Path, cluster: str) -> None:
    images = write_fields(tmp_path / "data")
    path = images / "A" / "CD3.tiff"
    path.write_bytes(path.read_bytes()[:200])
    job = Job("cells", {"data": images, "size": 12}, "Two", tmp_path / "out", "png", {"executor": cluster})
    status = job.start()
    assert (status.state, status.succeeded, status.failed) == ("partial", 3, 3)
    assert {one.error_type for one in job.results() if not one.ok} == {"ReadError"}


def test_a_cluster_that_is_not_there_is_said_and_nothing_is_written(fields: Path, tmp_path: Path) -> None:
    job = Job("fov", fields, "Two", tmp_path / "out", "png", {"executor": "dask://127.0.0.1:9"})
    with pytest.raises(SettingsError, match="no Dask scheduler answers"):
        job.start()
    assert not (tmp_path / "out").exists()


# ---- galleries that were stopped -----------------------------------------------------------------------------------


def stopped(fields: Path, out: Path, after: int, **more: Any) -> tuple[Job, list[ExportResult]]:
    """Begin a gallery and cancel it when so many items are drawn."""
    seen: list[ExportResult] = []
    job = Job("cells", {"data": fields, "size": 12}, "Two", out, "pdf", {"gallery": "2x2", "workers": 1, **more})

    def tell(result: ExportResult) -> None:
        seen.append(result)
        if len(seen) == after:
            job.cancel()

    job.on_item = tell
    assert job.start().state == "cancelled"
    job.on_item = None
    return job, seen


def test_going_on_with_a_gallery_draws_only_what_is_missing(
    fields: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = made(fields, tmp_path / "right", "gallery", scale_bar=None, caption=None)
    job, _ = stopped(fields, tmp_path / "out", 4, per_second=20)
    (pieces,) = (tmp_path / "out").glob(".tmp-pieces-*")
    there = {path.name: path.stat().st_mtime_ns for path in pieces.iterdir()}
    assert 4 <= len(there) < 9
    assert not (tmp_path / "out" / "gallery.pdf").exists()
    drawn: list[str] = []

    def counted(fov: Any, spec: Any, window: Any, **more: Any) -> Any:
        drawn.append(fov.name)
        return figure_of(fov, spec, window, **more)

    monkeypatch.setattr("coverslip.export.encoding.figure_of", counted)
    assert job.resume().state == "completed"
    assert len(drawn) == 9 - len(there)
    assert digests(tmp_path / "out") == right
    assert not pieces.exists()
    assert [one.details["page"] for one in job.results()] == [1, 1, 1, 1, 2, 2, 2, 2, 3]


@pytest.mark.parametrize("damage", [b"", b"coverslip figure 1\n{}", b"\0" * 500])
def test_damaged_pieces_are_drawn_again(fields: Path, tmp_path: Path, damage: bytes) -> None:
    right = made(fields, tmp_path / "right", "gallery", scale_bar=None, caption=None)
    job, _ = stopped(fields, tmp_path / "out", 3)
    (pieces,) = (tmp_path / "out").glob(".tmp-pieces-*")
    for number, path in enumerate(sorted(pieces.iterdir())):
        path.write_bytes(damage if number else path.read_bytes()[:-3])
    assert job.resume().state == "completed"
    assert digests(tmp_path / "out") == right


def test_items_that_failed_are_drawn_anew_and_the_others_are_not(tmp_path: Path) -> None:
    images = write_fields(tmp_path / "data")
    away = (images / "A" / "CD3.tiff").rename(tmp_path / "CD3.tiff")
    job = Job("fov", images, "Two", tmp_path / "out", "pdf", {"gallery": "1x2"})
    assert job.start().state == "partial"
    (pieces,) = (tmp_path / "out").glob(".tmp-pieces-*")
    (piece,) = pieces.iterdir()
    before = piece.stat().st_ino
    away.rename(images / "A" / "CD3.tiff")
    inodes: list[int] = []
    job.on_item = lambda _: inodes.append(piece.stat().st_ino)
    assert job.resume(retry_failed=True).state == "completed"
    assert set(inodes) == {before}
    whole = Job("fov", images, "Two", tmp_path / "whole", "pdf", {"gallery": "1x2"})
    whole.start()
    assert digest(tmp_path / "whole" / "gallery.pdf") == digest(tmp_path / "out" / "gallery.pdf")


def test_a_gallery_that_is_there_is_kept_where_that_is_asked_for(fields: Path, tmp_path: Path) -> None:
    (tmp_path / "gallery.pdf").write_bytes(b"mine")
    job = Job("fov", fields, "Two", tmp_path, "pdf", {"gallery": "1x2", "existing": "skip"})
    assert job.start().state == "completed"
    assert (tmp_path / "gallery.pdf").read_bytes() == b"mine"
    assert all(one.details["kept"] for one in job.results())


def test_a_caption_that_names_what_is_not_there_fails_with_its_reason(fields: Path, tmp_path: Path) -> None:
    job = Job("fov", fields, "Two", tmp_path, "pdf", {"gallery": {"rows": 1, "columns": 1, "caption": "{nothing}"}})
    assert job.start().state == "failed"
    assert {one.error_type for one in job.results()} == {"InvalidRequestError"}
    assert "there is no {nothing}" in (job.results()[0].message or "")


def test_threads_that_draw_galleries_end(fields: Path, tmp_path: Path) -> None:
    before = threading.active_count()
    made(fields, tmp_path, "gallery", workers=4)
    assert threading.active_count() <= before + 1
