"""The export command killed and interrupted at any instant, on full disks and from read-only media; on real files.

Whatever happens, a file that has its name is whole, and in the end all of them are there, as if nothing had happened.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.cli.test_commands import Shell
from tests.export.making import roi, write_fields, write_rois
from tests.export.test_jobs import digests
from tests.flows.exported import manifest
from tests.flows.killing import rounds
from tests.services.disk import CannotMountError, Disk, small_disk

CELLS = 600
"""Of two fields of view, more than are drawn in the seconds that a process lives."""
RATE = 150
"""Items that begin in a second."""
GO_ON = ("cells", "--resume", "last")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_fields(tmp_path / "data")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        with small_disk(tmp_path / "disk", 8) as found:
            yield found
    except CannotMountError as error:
        pytest.skip(f"nothing can be mounted here ({error}); an ordinary user's run of it is the test at the end")


def words_of(images: Path, count: int = CELLS) -> tuple[object, ...]:
    """Return the command for so many cells of two fields of view."""
    path = images.parent / f"cells-{count}.csv"
    if not path.exists():
        rows = (f"{'AB'[n * 2 // count]},{n},{n % 40},{n % 60}" for n in range(count))
        path.write_text("\n".join(["fov,label,centroid-0,centroid-1", *rows]))
    return ("cells", images, "-m", "Two", "--table", path, "--size", 24, "--masks", "whole_cell")


def begin(home: Path, *words: object) -> "subprocess.Popen[str]":
    environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERSLIP_")}
    command = [sys.executable, "-m", "coverslip", "export", *map(str, words)]
    pipe = subprocess.PIPE
    environment["COVERSLIP_HOME"] = str(home)
    return subprocess.Popen(command, env=environment, text=True, stdout=pipe, stderr=pipe)


def wait_for(process: "subprocess.Popen[str]", out: Path, count: int, seconds: float = 60) -> None:
    """Return when so many files are there, or the process has ended."""
    until = time.monotonic() + seconds
    while process.poll() is None and len(list(out.glob("*.png"))) < count and time.monotonic() < until:
        time.sleep(0.005)


def catalog_of(home: Path) -> sqlite3.Connection:
    return sqlite3.connect(home / "catalog.sqlite")


def let_the_lease_run_out(home: Path) -> None:
    """Have nobody hold the job: the process that did is dead, and only time would have to pass."""
    with suppress(sqlite3.OperationalError), closing(catalog_of(home)) as database, database:
        database.execute("UPDATE export_job SET lease_until = '2000-01-01 00:00:00' WHERE token IS NOT NULL")


def noted(home: Path) -> dict[str, str]:
    """Return the digests that the catalog has of files that were written."""
    try:
        with closing(catalog_of(home)) as database:
            return dict(database.execute("SELECT path, checksum FROM export_item WHERE state = 'ok'").fetchall())
    except sqlite3.OperationalError:
        return {}


def has_job(home: Path) -> bool:
    try:
        with closing(catalog_of(home)) as database:
            return database.execute("SELECT 1 FROM export_job").fetchone() is not None
    except sqlite3.OperationalError:
        return False


def check_manifest(out: Path, right: dict[str, str]) -> None:
    """Fail unless the manifest says of every file what it is."""
    document, rows = manifest(out)
    assert document["state"] == "completed"
    assert {row["file"]: row["sha256"] for row in rows} == right
    assert {item["file"]: item["sha256"] for item in document["items"]} == right


@pytest.mark.kill
def test_an_export_killed_at_any_instant_has_no_torn_file_and_loses_none(
    images: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    chance, home, out = random.Random(7), tmp_path / "home", tmp_path / "out"
    words = words_of(images)
    Shell(tmp_path / "other")("export", *words, "-o", tmp_path / "right")
    right = digests(tmp_path / "right")
    assert len(right) == CELLS
    counts: Counter[str] = Counter()
    times: dict[str, int] = {}
    for number in range(rounds(request)):
        if out.exists() and len(list(out.glob("*.png"))) == CELLS:
            counts["began anew"] += 1
            shutil.rmtree(out)
            shutil.rmtree(home)
            times = {}
        resume = has_job(home)
        process = begin(home, *(GO_ON if resume else (*words, "-o", out, "--per-second", RATE)))
        before = len(list(out.glob("*.png")))
        if number % 3:  # while files are made
            wait_for(process, out, before + chance.randint(1, CELLS // 8))
            time.sleep(chance.uniform(0, 0.03))
        else:  # anywhere: in the start, the plan, the first items
            time.sleep(chance.uniform(0.2, 3))
        counts["killed" if process.poll() is None else "had ended"] += 1
        counts["killed while files were made"] += process.poll() is None and len(list(out.glob("*.png"))) > before
        process.kill()
        process.communicate()
        there = digests(out) if out.exists() else {}
        whole = {name: digest for name, digest in there.items() if not name.startswith(".tmp-")}
        assert whole.items() <= right.items(), "a file is torn"
        counts["unfinished files left"] += len(there) - len(whole)
        known = noted(home)
        assert known.items() <= whole.items(), "what is noted is not there"
        assert times.items() <= {name: (out / name).stat().st_mtime_ns for name in times}.items(), "made twice"
        times = {name: (out / name).stat().st_mtime_ns for name in known}
        let_the_lease_run_out(home)
    said = Shell(home)("export", *(GO_ON if has_job(home) else (*words, "-o", out)))
    assert f"{CELLS} of {CELLS} files, completed." in said
    made = {name: digest for name, digest in digests(out).items() if not name.startswith(".tmp-")}
    assert made == right
    assert times.items() <= {name: (out / name).stat().st_mtime_ns for name in times}.items()
    check_manifest(out, right)
    with closing(catalog_of(home)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    print(f"\n{dict(counts)}; {CELLS} files whole and as without kills")
    assert counts["killed while files were made"] >= rounds(request) // 3


@pytest.mark.kill
def test_ctrl_c_at_any_instant_leaves_whole_files_and_a_job_to_go_on_with(
    images: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    chance, home, out = random.Random(8), tmp_path / "home", tmp_path / "out"
    words = words_of(images)
    Shell(tmp_path / "other")("export", *words, "-o", tmp_path / "right")
    right = digests(tmp_path / "right")
    how: tuple[object, ...] = (*words, "-o", out, "--per-second", RATE)
    for _ in range(rounds(request) // 2):
        process = begin(home, *how)
        wait_for(process, out, len(list(out.glob("*.png"))) + chance.randint(1, CELLS // 8))
        time.sleep(chance.uniform(0, 0.03))
        process.send_signal(signal.SIGINT)
        said, complaints = process.communicate(timeout=60)
        there = digests(out)
        if process.returncode == 0:  # it was done before
            break
        assert (process.returncode, complaints.count("Traceback")) == (130, 0)
        assert f"{len(there)} of {CELLS} files, cancelled." in said
        assert there.items() <= right.items()
        assert noted(home) == there  # every file is known, none is in the making
        how = GO_ON
    Shell(home)("export", *GO_ON)
    assert digests(out) == right
    check_manifest(out, right)


def test_a_disk_that_fills_up_stops_the_command_with_whole_files_and_room_lets_it_go_on(
    images: Path, disk: Disk, tmp_path: Path
) -> None:
    words, out = words_of(images, 200), disk.folder / "out"
    run = Shell(tmp_path / "home")
    run("export", *words, "-o", tmp_path / "right", "-f", "tiff")
    right = digests(tmp_path / "right")
    disk.fill(leave=(1 << 20) + 60 * 4096)
    said = json.loads(run("export", *words, "-o", out, "-f", "tiff", "--json", "--per-second", 100, code=5))
    assert (said["state"], said["failed"]) == ("paused", 0)
    assert 0 < said["succeeded"] < 200
    assert "full" in said["message"]
    there = digests(out)
    assert there.items() <= right.items()
    assert not [name for name in there if name.startswith(".tmp-")]
    assert "full" in run("export", *GO_ON, code=5)  # nothing has changed
    disk.free()
    run("export", *GO_ON)
    assert digests(out) == right
    check_manifest(out, right)


def test_a_disk_that_may_not_be_written_is_said_and_nothing_fails(images: Path, disk: Disk, tmp_path: Path) -> None:
    words, out = words_of(images, 20), disk.folder / "out"
    run = Shell(tmp_path / "home")
    disk.may_be_written(False)
    said = run("export", *words, "-o", out, code=5)
    assert "Read-only" in said
    disk.may_be_written(True)
    assert "20 of 20 files, completed." in run("export", *GO_ON)


@pytest.mark.parametrize("mode", ["fov", "cells", "rois"])
def test_read_only_media_are_exported_as_they_are(disk: Disk, tmp_path: Path, mode: str) -> None:
    images = write_fields(disk.folder / "data")
    write_rois(images, [roi("one", "A", (0, 20, 0, 20))])
    disk.may_be_written(False)
    run = Shell(tmp_path / "home")
    assert "completed." in run("export", mode, images, "-m", "Two", "-o", tmp_path / "out", "--scale-bar", "auto")


def test_all_of_this_as_an_ordinary_user() -> None:
    if os.geteuid() == 0:
        pytest.skip("root has run it already")
    order = ["unshare", "-rm"]
    if shutil.which("unshare") is None or subprocess.run([*order, "true"], check=False).returncode != 0:
        pytest.skip("this machine gives ordinary users no namespaces, so nothing can be mounted")
    again = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "disk or media"]
    done = subprocess.run([*order, *again], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
