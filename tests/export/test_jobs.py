"""What becomes of a job: stopped, gone on with, short of room, with damaged files; on real files."""

import csv
import errno
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from coverslip.catalog import Catalog
from coverslip.errors import ConflictError, InvalidRequestError, NotFoundError, UnreadableFileError
from coverslip.export import Job, export_fovs_batch
from coverslip.export.notes import LEASE_SECONDS
from coverslip.model.exporting import ExportResult
from coverslip.readers import ImageFile, open_image
from tests.export.making import (
    expected,
    pixels_of,
    planes_of,
    roi,
    write_fields,
    write_plane,
    write_rois,
    write_state,
)
from tests.services.disk import CannotMountError, Disk, small_disk


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}", versions={}) as opened:
        yield opened


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        with small_disk(tmp_path / "disk", 4) as found:
            yield found
    except CannotMountError as error:
        pytest.skip(f"this user may not mount a disk: {error}")


def digests(folder: Path) -> dict[str, str]:
    """Return what the pictures in a folder contain."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("manifest-")
    }


def cells_job(images: Path, out: Path, overrides: dict[str, Any] | None = None, **more: Any) -> Job:
    return Job("cells", {"data": images, "size": 16}, "Two", out, "png", {"workers": 1, **(overrides or {})}, **more)


# ---- cancelled, paused, killed -------------------------------------------------------------------------------------


def test_cancelling_stops_after_the_item_under_way_and_keeps_what_is_there(images: Path, tmp_path: Path) -> None:
    done: list[ExportResult] = []
    job = cells_job(images, tmp_path / "out", {"per_second": 1})

    def tell(result: ExportResult) -> None:
        done.append(result)
        job.cancel()

    job.on_item = tell
    status = job.start()
    assert status.state == "cancelled"
    assert 1 <= status.succeeded <= 2
    assert len(digests(tmp_path / "out")) == status.succeeded
    assert not list((tmp_path / "out").glob(".tmp-*"))


def test_a_job_in_the_background_is_watched_cancelled_and_gone_on_with(
    images: Path, tmp_path: Path, catalog: Catalog
) -> None:
    job = cells_job(images, tmp_path / "out", {"per_second": 5}, catalog=catalog)
    assert job.start(background=True).state in {"pending", "running"}
    until = time.monotonic() + 20
    while not digests(tmp_path / "out") and time.monotonic() < until:
        time.sleep(0.01)
    assert job.cancel().state in {"cancelling", "cancelled"}
    stopped = job.wait(20)
    assert stopped.state == "cancelled"
    assert stopped.completed < 6
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    assert job.resume().state == "completed"
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    assert len(after) == 6
    assert before.items() <= after.items()  # what was there was not made again


def test_somebody_else_cancels_through_the_catalog(images: Path, tmp_path: Path, catalog: Catalog) -> None:
    job = cells_job(images, tmp_path / "out", {"per_second": 2}, catalog=catalog)
    job.start(background=True)
    time.sleep(0.3)
    catalog.cancel_export(job.id)
    assert job.wait(20).state == "cancelled"


def test_a_paused_job_goes_on_in_another_process_as_it_was_planned(
    images: Path, tmp_path: Path, catalog: Catalog
) -> None:
    job = cells_job(images, tmp_path / "out", {"per_second": 5}, catalog=catalog)

    def pause(_: ExportResult) -> None:
        job.pause()

    job.on_item = pause
    assert job.start().state == "paused"
    write_state(images, {"Two": ("Anti-CD3",)})  # an edit of the marker set, after the job was planned
    (images.parent / "cell_table.csv").write_text("fov,label,centroid-0,centroid-1\n")
    other = Job.kept(job.id, catalog)
    assert other.start().state == "completed"
    assert len(digests(tmp_path / "out")) == 6
    right = expected(planes_of(1), ("DNA", "CD3"), (22, 14, 38, 30))
    np.testing.assert_array_equal(pixels_of(tmp_path / "out" / "B_cell_2.png"), right)


def test_two_processes_cannot_work_on_one_job(images: Path, tmp_path: Path, catalog: Catalog) -> None:
    job = cells_job(images, tmp_path / "out", catalog=catalog)
    token = catalog.claim_export(job.id, lease_seconds=LEASE_SECONDS)
    with pytest.raises(ConflictError, match="is running"):
        Job.kept(job.id, catalog).start()
    catalog.end_export(job.id, token, is_stopped=True)
    assert Job.kept(job.id, catalog).start().state == "completed"


@pytest.mark.parametrize("damage", ["removed", "changed"])
def test_going_on_makes_files_anew_that_are_not_what_was_written(
    images: Path, tmp_path: Path, catalog: Catalog, damage: str
) -> None:
    job = cells_job(images, tmp_path / "out", catalog=catalog)
    job.start()
    right = digests(tmp_path / "out")
    victim = tmp_path / "out" / "A_cell_2.png"
    if damage == "removed":
        victim.unlink()
    else:
        victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png") if path != victim}
    assert Job.kept(job.id, catalog).resume().state == "completed"
    assert digests(tmp_path / "out") == right
    assert all(path.stat().st_mtime_ns == then for path, then in times.items())


def test_what_killed_processes_left_unfinished_is_swept(images: Path, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    old, new, other = (tmp_path / "sub" / name for name in (".tmp-old", ".tmp-new", "mine.png"))
    for path in (old, new, other):
        path.touch()
        if path != new:
            os.utime(path, (1, 1))
    assert cells_job(images, tmp_path, {"name": "sub/{label}_{fov}"}).start().state == "completed"
    assert (old.exists(), new.exists(), other.exists()) == (False, True, True)


# ---- what goes wrong -----------------------------------------------------------------------------------------------


def test_a_damaged_channel_fails_its_own_items_with_a_class_and_the_rest_finish(images: Path, tmp_path: Path) -> None:
    path = images / "A" / "CD3.tiff"
    path.write_bytes(path.read_bytes()[:200])
    job = cells_job(images, tmp_path / "out")
    status = job.start()
    assert (status.state, status.succeeded, status.failed) == ("partial", 3, 3)
    failed = [result for result in job.results() if not result.ok]
    assert {result.error_type for result in failed} == {"ReadError"}
    assert all("CD3.tiff" in (result.message or "") for result in failed)
    assert not any(result.is_retryable for result in failed)
    assert {result.attempts for result in failed} == {1}


def test_a_job_of_which_every_item_fails_has_failed(images: Path, tmp_path: Path) -> None:
    markers = {"name": "none such", "channels": [{"channel": "CD8"}]}
    job = Job("fov", images, markers, tmp_path / "out")
    assert job.start().state == "failed"
    assert {result.error_type for result in job.results()} == {"MissingChannelError"}
    assert "Traceback" in (job.results()[0].traceback or "")


class Flaky:
    """Opens files, and now and then does not: a share that is away for a moment."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.opened = 0

    def __call__(self, path: Path) -> ImageFile:
        if self.left:
            self.left -= 1
            raise UnreadableFileError(f"{path} cannot be read: {os.strerror(errno.EIO)}")
        self.opened += 1
        return open_image(path)


def test_a_disk_that_does_not_answer_is_asked_again_later(images: Path, tmp_path: Path) -> None:
    flaky = Flaky(0)
    job = Job("fov", images / "A", "Two", tmp_path / "out", overrides={"pause_s": 0.05, "attempts": 3}, open_file=flaky)
    job.dry_run()
    flaky.left = 2
    assert job.start().state == "completed"
    assert job.results()[0].attempts == 3


def test_what_fails_to_the_last_attempt_may_be_tried_again_by_hand(images: Path, tmp_path: Path) -> None:
    flaky = Flaky(0)
    job = Job("fov", images / "A", "Two", tmp_path / "out", overrides={"pause_s": 0, "attempts": 2}, open_file=flaky)
    job.dry_run()
    flaky.left = 2
    assert job.start().state == "failed"
    assert job.results()[0].is_retryable
    assert job.resume(retry_failed=True).state == "completed"


def test_each_channel_is_opened_and_decoded_once_for_all_items_of_a_field(images: Path, tmp_path: Path) -> None:
    counting = Flaky(0)
    job = Job("cells", {"data": images, "size": 8}, "Two", tmp_path / "out", open_file=counting)
    job.dry_run()
    counting.opened = 0
    assert job.start().succeeded == 6
    assert counting.opened == 2


def test_a_source_that_changed_after_planning_fails_and_shows_nothing_else(images: Path, tmp_path: Path) -> None:
    job = Job("fov", images, "Two", tmp_path / "out")
    job.dry_run()
    write_plane(images / "A" / "DNA.tiff", planes_of(1)["DNA"])
    os.utime(images / "A" / "DNA.tiff", ns=(1, 1))
    assert job.start().state == "partial"
    assert [result.error_type for result in job.results()] == ["SourceChangedError", None]
    assert list(digests(tmp_path / "out")) == ["B.png"]


def test_a_full_disk_pauses_the_job_and_room_lets_it_go_on(images: Path, disk: Disk, catalog: Catalog) -> None:
    job = Job("cells", {"data": images, "size": 16}, "Two", disk.folder / "out", "tiff", catalog=catalog)
    job.plan  # noqa: B018  # planned while there is room
    disk.fill()
    status = job.start()
    assert status.state == "paused"
    assert "full" in (status.message or "")
    assert status.failed == 0
    disk.free()
    assert Job.kept(job.id, catalog).start().state == "completed"


def test_a_disk_that_fills_up_on_the_way_pauses_the_job(images: Path, disk: Disk, catalog: Catalog) -> None:
    job = cells_job(images, disk.folder / "out", {"per_second": 3}, catalog=catalog)
    job.on_item = lambda result: disk.fill() if result.number == 1 else None
    status = job.start()
    assert status.state == "paused"
    assert "full" in (status.message or "")
    assert 2 <= status.succeeded < 6
    assert status.failed == 0
    disk.free()
    assert Job.kept(job.id, catalog).start().state == "completed"
    assert len(digests(disk.folder / "out")) == 6


def test_a_read_only_disk_is_said_before_the_first_item(images: Path, disk: Disk) -> None:
    disk.may_be_written(False)
    job = Job("fov", images, "Two", disk.folder / "out")
    assert not job.dry_run().is_sound or os.geteuid() == 0  # root may write anywhere, as far as access() knows
    status = job.start()
    assert (status.state, status.completed) == ("paused", 0)
    assert "Read-only" in (status.message or "")


def test_data_on_read_only_media_is_exported_as_it_is(disk: Disk, tmp_path: Path) -> None:
    images = write_fields(disk.folder / "data")
    write_rois(images, [roi("one", "A", (0, 20, 0, 20))])
    disk.may_be_written(False)
    assert Job("fov", images, "Two", tmp_path / "a").start().state == "completed"
    assert Job("cells", images, "Two", tmp_path / "b").start().state == "completed"
    assert Job("rois", images, "Two", tmp_path / "c").start().state == "completed"


# ---- planned -------------------------------------------------------------------------------------------------------


def test_a_dry_run_says_all_that_is_wrong_and_writes_nothing(images: Path, tmp_path: Path) -> None:
    (images / "A" / "CD3.tiff").unlink()
    write_plane(images / "B" / "Anti-CD3.tiff", planes_of(1)["Anti-CD3"], um=0)  # the channel that states the size
    write_rois(
        images,
        [
            roi("fine", "B", (0, 20, 0, 20), marker_set="Other"),
            roi("outside", "B", (100, 120, 0, 20)),
            roi("flat", "B", (5, 5, 0, 20)),
            roi("elsewhere", "C", (0, 20, 0, 20)),
            roi("channel", "A", (0, 20, 0, 20)),
            roi("set", "B", (0, 20, 0, 20), marker_set="Unknown"),
        ],
    )
    out = tmp_path / "new" / "out"
    found = Job("rois", images, "Two", out, overrides={"masks": ["nuclei"]}).dry_run()
    kinds = {one.item: (one.problem or "").split(":")[0] for one in found.files}
    assert kinds == {
        "A channel": "MissingChannelError",
        "B fine": "MissingMaskError",
        "B outside": "MissingMaskError",
        "B flat": "OutsideImageError",
        "C elsewhere": "MissingFieldError",
        "B set": "NotFoundError",
    }
    bars = Job("rois", images, "Two", out, overrides={"scale_bar": True}).dry_run()
    kinds = {one.item: (one.problem or "").split(":")[0] for one in bars.files}
    assert kinds["B fine"] == "ScaleBarError"
    assert kinds["B outside"] == "OutsideImageError"
    assert not out.parent.exists()


def test_a_dry_run_lists_paths_sizes_and_collisions(images: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "B.png").touch()
    found = Job("fov", images, "Two", tmp_path / "out", overrides={"downsample": 2}).dry_run()
    assert [(one.path, one.width, one.height, one.exists) for one in found.files] == [
        ("A.png", 30, 20, False),
        ("B.png", 30, 20, True),
    ]
    assert found.problems == ("1 of the files are there already, and are neither to be replaced nor kept",)
    assert found.size > 0
    assert found.free > 0


@pytest.mark.parametrize(("existing", "is_kept"), [("replace", False), ("skip", True)])
def test_files_that_are_there_are_replaced_or_kept(images: Path, tmp_path: Path, existing: str, is_kept: bool) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "A.png").write_bytes(b"mine")
    job = Job("fov", images, "Two", out, overrides={"existing": existing})
    assert job.start().state == "completed"
    assert ((out / "A.png").read_bytes() == b"mine") is is_kept
    assert job.results()[0].details.get("kept", False) is is_kept


def test_a_job_does_not_begin_where_files_would_be_lost(images: Path, tmp_path: Path) -> None:
    (tmp_path / "A.png").write_bytes(b"mine")
    with pytest.raises(ConflictError, match=r"1 of the files already, such as A\.png"):
        Job("fov", images, "Two", tmp_path).start()
    assert (tmp_path / "A.png").read_bytes() == b"mine"


def test_a_manifest_makes_the_same_bytes_again(images: Path, tmp_path: Path) -> None:
    overrides = {"scale_bar": True, "masks": ["whole_cell"], "name": "{fov}/{cluster}_{label:03}"}
    first = Job("cells", {"data": images, "size": 24}, "Two", tmp_path / "one", "ome-tiff", overrides)
    assert first.start().state == "completed"
    (manifest,) = (tmp_path / "one").glob("manifest-*.json")
    again = Job.from_manifest(manifest, tmp_path / "two")
    assert again.start().state == "completed"
    assert digests(tmp_path / "two") == digests(tmp_path / "one")
    assert "A/immune_001.ome.tif" in digests(tmp_path / "one")


def test_a_manifest_says_how_each_file_was_made(images: Path, tmp_path: Path) -> None:
    Job("cells", {"data": images, "size": 24}, "Two", tmp_path, "png", {"scale_bar": 1.0}).start()
    (path,) = tmp_path.glob("manifest-*.json")
    document = json.loads(path.read_text("utf-8"))
    assert document["state"] == "completed"
    assert document["software"].keys() >= {"coverslip", "numpy", "tifffile"}
    assert document["specs"][0]["markers"]["name"] == "Two"
    size, _ = document["sources"][0]["fingerprint"][str(images / "A" / "DNA.tiff")]
    assert size == (images / "A" / "DNA.tiff").stat().st_size
    (path,) = tmp_path.glob("manifest-*.csv")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["item"] for row in rows][:2] == ["A cell 1", "A cell 2"]
    row = rows[1]
    assert (row["x0"], row["y0"], row["x1"], row["y1"]) == ("18", "10", "42", "34")
    assert row["sha256"] == hashlib.sha256((tmp_path / row["file"]).read_bytes()).hexdigest()
    assert (row["scale_bar_um"], row["label"], row["fov"]) == ("1.0", "2", "A")


@pytest.mark.parametrize("change", ["path", "source", "text"])
def test_an_edited_manifest_cannot_write_elsewhere(images: Path, tmp_path: Path, change: str) -> None:
    Job("fov", images, "Two", tmp_path / "one").start()
    (path,) = (tmp_path / "one").glob("manifest-*.json")
    document = json.loads(path.read_text())
    if change == "path":
        document["items"][0]["file"] = "../../outside.png"
    elif change == "source":
        document["items"][0]["document"]["source"] = 9
    path.write_text("[" if change == "text" else json.dumps(document))
    with pytest.raises(InvalidRequestError):
        Job.from_manifest(path, tmp_path / "two")


def test_the_simple_call_says_true_or_why_not(images: Path, tmp_path: Path) -> None:
    (images / "B" / "CD3.tiff").unlink()
    found = export_fovs_batch(
        "Two",
        output_dir=tmp_path / "out",
        fovs=["A", "B", "C"],
        file_format="png",
        downsample_factor=2,
        dpi=150,
        figure_size=None,
        data=images,
    )
    assert found["A"] is True
    assert "no channel 'CD3'" in str(found["B"])
    assert "no field of view 'C'" in str(found["C"])
    np.testing.assert_array_equal(pixels_of(tmp_path / "out" / "A.png"), expected(planes_of(0), ("DNA", "CD3"), step=2))


def test_a_choice_that_is_not_there_is_refused(images: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="no choice 'sclae_bar'"):
        Job("fov", images, "Two", tmp_path, overrides={"sclae_bar": True})
    with pytest.raises(NotFoundError, match="no marker set 'Three'; there are: Other, Two"):
        Job("fov", images, "Three", tmp_path)
    with pytest.raises(InvalidRequestError, match="nothing to export: no cell is left"):
        Job("cells", {"data": images, "where": "area > 1e9"}, "Two", tmp_path).start()


# ---- how fast, and where -------------------------------------------------------------------------------------------


def test_a_rate_is_kept(images: Path, tmp_path: Path) -> None:
    began = time.monotonic()
    assert cells_job(images, tmp_path, {"per_second": 10, "workers": 4}).start().state == "completed"
    assert time.monotonic() - began >= 0.5  # six items, the first at once


def test_the_cost_of_items_is_linear(tmp_path: Path, catalog: Catalog) -> None:
    """Twenty thousand items that are there already: planning, rows, checks and notes, no drawing."""
    images = write_fields(tmp_path / "data", names=("A",))
    seconds = {}
    for count in (2_000, 20_000):
        rows = ["fov,label,centroid-0,centroid-1", *(f"A,{n},20,30" for n in range(count))]
        (tmp_path / "cells.csv").write_text("\n".join(rows))
        out = tmp_path / f"out{count}"
        out.mkdir()
        for n in range(count):
            (out / f"A_cell_{n}.png").touch()
        choice = {"data": images, "table": tmp_path / "cells.csv"}
        job = Job("cells", choice, "Two", out, overrides={"existing": "skip"}, catalog=catalog)
        began = time.process_time()
        assert job.start().succeeded == count
        seconds[count] = time.process_time() - began
    assert seconds[20_000] < 20 * seconds[2_000] + 5
    assert seconds[20_000] < 60


@pytest.mark.parametrize("executor", ["processes", "given"])
def test_other_processes_give_the_same_files(images: Path, tmp_path: Path, executor: str) -> None:
    cells_job(images, tmp_path / "here").start()
    if executor == "given":
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            status = cells_job(images, tmp_path / "there").start(executor=pool)
    else:
        status = cells_job(images, tmp_path / "there", {"executor": "processes"}).start()
    assert status.state == "completed"
    assert digests(tmp_path / "there") == digests(tmp_path / "here")


def test_cancelling_reaches_other_processes(images: Path, tmp_path: Path) -> None:
    job = cells_job(images, tmp_path / "out", {"executor": "processes", "per_second": 1})
    job.start(background=True)
    until = time.monotonic() + 60
    while not digests(tmp_path / "out") and time.monotonic() < until:
        time.sleep(0.05)
    job.cancel()
    assert job.wait(30).state == "cancelled"
    assert len(digests(tmp_path / "out")) < 6
    assert not list((tmp_path / "out").glob(".tmp-*"))


def test_threads_of_one_process_do_not_mix_up_items(tmp_path: Path) -> None:
    images = write_fields(tmp_path / "data", names=[f"F{n}" for n in range(6)])
    before = threading.active_count()
    job = Job("cells", {"data": images, "size": 12}, "Two", tmp_path / "many", overrides={"workers": 8})
    assert job.start().succeeded == 18
    Job("cells", {"data": images, "size": 12}, "Two", tmp_path / "one", overrides={"workers": 1}).start()
    assert digests(tmp_path / "many") == digests(tmp_path / "one")
    assert threading.active_count() < before + 20


@pytest.mark.kill
def test_a_process_that_is_killed_loses_no_item(images: Path, tmp_path: Path) -> None:
    job = cells_job(images, tmp_path / "out", {"executor": "processes", "per_second": 4})
    job.start(background=True)
    until = time.monotonic() + 60
    while not digests(tmp_path / "out") and time.monotonic() < until:
        time.sleep(0.02)
    mine = [one for one in psutil.Process().children(recursive=True) if "spawn_main" in " ".join(one.cmdline())]
    assert mine
    for one in mine:
        one.kill()
    status = job.wait(90)
    assert (status.state, status.succeeded) == ("completed", 6)
    assert not list((tmp_path / "out").glob(".tmp-stop*"))
