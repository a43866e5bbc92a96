"""``coverslip export`` as a person runs it; killed, interrupted, gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from coverslip.export.writing import digest
from tests.cli.test_commands import Shell
from tests.export.making import expected, pixels_of, planes_of, roi, write_fields, write_plane, write_rois
from tests.export.test_jobs import digests


@pytest.fixture
def run(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    return write_fields(tmp_path / "data")


def begun(home: Path, *words: object) -> "subprocess.Popen[str]":
    """Start a command in a process of its own."""
    environment = {**os.environ, "COVERSLIP_HOME": str(home)}
    command = [sys.executable, "-m", "coverslip", "export", *map(str, words)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def wait_for(folder: Path, count: int) -> None:
    until = time.monotonic() + 60
    while len(list(folder.glob("*.png"))) < count:
        assert time.monotonic() < until
        time.sleep(0.01)


def test_whole_fields_are_exported(run: Shell, images: Path, tmp_path: Path) -> None:
    text = run("export", "fov", images, "--marker-set", "Two", "--out", tmp_path / "out", "--downsample", "2")
    assert text.strip() == f"{tmp_path / 'out'}: 2 of 2 files, completed."
    right = expected(planes_of(0), ("DNA", "CD3"), step=2)
    np.testing.assert_array_equal(pixels_of(tmp_path / "out" / "A.png"), right)


def test_cells_are_chosen_and_a_dry_run_writes_nothing(run: Shell, images: Path, tmp_path: Path) -> None:
    words = ("export", "cells", images, "-m", "Two", "-o", tmp_path / "out", "--where", "area > 100", "--size", "8")
    text = run(*words, "--unit", "um", "--dry-run")
    assert "B_cell_2.png: 16 x 16, about" in text
    assert not (tmp_path / "out").exists()
    run(*words, "--unit", "um", "--scale-bar", "1", "--masks", "whole_cell", "--name", "{fov}/{label:03}")
    assert sorted(digests(tmp_path / "out")) == ["A/002.png", "B/002.png"]


def test_regions_are_chosen_by_tags_and_put_on_pages(run: Shell, images: Path, tmp_path: Path) -> None:
    rows = [roi(f"r{n}", "A", (n, n + 20, 0, 20), tags="odd" if n % 2 else "even,x") for n in range(6)]
    write_rois(images, rows)
    text = run(
        "export", "rois", images, "-m", "Two", "-o", tmp_path, "--tags", "even & x", "--gallery", "2x2", "--json"
    )
    outcome = json.loads(text)
    assert (outcome["state"], outcome["total"]) == ("completed", 3)
    pdf = (tmp_path / "gallery.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    assert pdf.count(b"/Subtype /Image") + pdf.count(b"/Subtype/Image") == 3


def test_a_marker_set_may_be_written_out(run: Shell, images: Path, tmp_path: Path) -> None:
    run("export", "fov", images / "A", "-m", "DNA=blue:100:900,CD3=green:50:450", "-o", tmp_path / "out")
    right = expected(planes_of(0), ("DNA", "CD3"))
    np.testing.assert_array_equal(pixels_of(tmp_path / "out" / "A.png"), right)


def test_channels_that_are_written_without_limits_are_no_flat_colour(run: Shell, images: Path, tmp_path: Path) -> None:
    run("export", "fov", images, "-m", "DNA=blue,CD3=green", "-o", tmp_path / "out")
    for name in ("A", "B"):
        pixels = pixels_of(tmp_path / "out" / f"{name}.png")
        assert len(np.unique(pixels[..., 2])) > 200  # blue, of even noise from 0 to 999
        assert 120 < pixels[..., 1].mean() < 135


def test_the_size_of_a_pixel_can_be_stated(run: Shell, tmp_path: Path) -> None:
    look = ("-m", "Two", "--scale-bar", "1", "--dry-run")
    words = ("export", "fov", write_fields(tmp_path / "plain", um=0), *look, "-o", tmp_path / "out")
    assert "how large its pixels are; state it (--pixel-size" in run(*words, code=1)
    assert "0 items cannot be made." in run(*words, "--pixel-size", "0.25")
    assert "state the size of a pixel too" in run(*words, "--force-pixel-size", code=2)


def test_a_whole_dataset_of_the_catalog_is_exported(run: Shell, images: Path, tmp_path: Path) -> None:
    run("add", images)
    words = ("export", "fov", "--dataset", images, "-m", "Two", "-o", tmp_path / "out")
    text = run(*words, "--panels", "--contact-sheet", "--dry-run")
    assert "B.png: 180 x 40" in text
    text = run(*words, "--format", "ome-zarr", "--masks", "whole_cell", "--contact-sheet")
    assert "2 of 2 files, completed." in text
    assert sorted(path.name.split("-")[0] for path in (tmp_path / "out").iterdir()) == [
        *("A.ome.zarr", "B.ome.zarr", "contact", "manifest", "manifest")
    ]
    run("export", "fov", "--dataset", images, "-m", "Two", "-o", tmp_path / "two", "--separate")
    assert sorted(digests(tmp_path / "two")) == ["A_CD3.png", "A_DNA.png", "B_CD3.png", "B_DNA.png"]
    assert "there is no dataset 'x'" in run("export", "fov", "--dataset", "x", "-m", "Two", "-o", tmp_path, code=3)
    assert "or a dataset" in run("export", "fov", "-m", "Two", "-o", tmp_path, code=2)


def test_what_cannot_be_made_is_said_and_the_exit_code_is_one(run: Shell, images: Path, tmp_path: Path) -> None:
    (images / "B" / "CD3.tiff").unlink()
    text = run("export", "fov", images, "-m", "Two", "-o", tmp_path / "out", code=1)
    assert "1 of 2 files, partial." in text
    assert "B: MissingChannelError" in text
    assert "--retry-failed" in text


def test_words_that_make_no_sense_are_refused(run: Shell, images: Path, tmp_path: Path) -> None:
    assert "needs a marker set" in run("export", "fov", images, code=2)
    out = ("-o", tmp_path / "out")
    assert "there is no marker set 'Three'" in run("export", "fov", images, "-m", "Three", *out, code=3)
    assert "at character 7" in run("export", "cells", images, "-m", "Two", *out, "--where", "area >", code=2)
    assert "expected auto, same" in run("export", "fov", images, "-m", "Two", *out, "--scale-bar", "long", code=2)


@pytest.mark.kill
def test_a_killed_export_goes_on_where_it_was(run: Shell, images: Path, tmp_path: Path) -> None:
    words = ("cells", images, "-m", "Two", "--size", "16")
    run("export", *words, "-o", tmp_path / "right")
    out = tmp_path / "out"
    process = begun(tmp_path / "home", *words, "-o", out, "--per-second", "3", "-w", "1")
    wait_for(out, 3)
    process.kill()
    process.communicate()
    before = {path: path.stat().st_mtime_ns for path in out.glob("*.png")}
    assert 3 <= len(before) < 6
    noted = sorted(before, key=lambda path: before[path])[:1]  # what was done in the last half second may not be noted
    text = run("export", "cells", "--resume", "last")
    assert "Waiting up to 15 s" in text
    assert "6 of 6 files, completed." in text
    assert all(path.stat().st_mtime_ns == before[path] for path in noted)
    assert digests(out) == digests(tmp_path / "right")


@pytest.mark.kill
def test_a_killed_export_of_folders_leaves_none_that_is_not_whole(run: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "fields"
    for number in range(6):
        (folder / f"F{number}").mkdir(parents=True)
        pixels = np.random.default_rng(number).integers(0, 60_000, (1400, 1400), np.uint16)
        write_plane(folder / f"F{number}" / "DNA.tiff", pixels)
    words = ("fov", folder, "-m", "DNA=blue:0:60000", "--format", "ome-zarr")
    run("export", *words, "-o", tmp_path / "right")
    out = tmp_path / "out"
    process = begun(tmp_path / "home", *words, "-o", out, "-w", "1")
    until = time.monotonic() + 60
    while not (len(list(out.glob("*.ome.zarr"))) >= 2 and list(out.glob(".tmp-*/*"))) and process.poll() is None:
        assert time.monotonic() < until
    process.kill()
    process.communicate()
    whole = {path.name: digest(path) for path in out.glob("*.ome.zarr")}
    assert 2 <= len(whole) <= 6
    assert all(digest(tmp_path / "right" / name) == found for name, found in whole.items())
    assert "6 of 6 files, completed." in run("export", "fov", "--resume", "last")
    assert {path.name: digest(path) for path in out.glob("*.ome.zarr")} == {
        path.name: digest(path) for path in (tmp_path / "right").glob("*.ome.zarr")
    }


@pytest.mark.kill
def test_ctrl_c_cancels_and_the_job_can_go_on(run: Shell, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    words = ("cells", images, "-m", "Two", "--size", "16", "-o", out, "--per-second", "3", "-w", "1")
    process = begun(tmp_path / "home", *words)
    wait_for(out, 2)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "cancelled." in said
    assert "Traceback" not in said
    there = len(list(out.glob("*.png")))
    assert there < 6
    assert f"{there} of 6 files" in said
    assert not list(out.glob(".tmp-*"))
    assert "6 of 6 files, completed." in run("export", "cells", "--resume", "last")


def test_files_that_were_kept_are_counted(run: Shell, images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "A.png").write_bytes(b"mine")
    words = ("export", "fov", images, "-m", "Two", "-o", out, "--existing", "skip")
    assert run(*words).split("\n")[:2] == [
        f"{out}: 2 of 2 files, completed.",
        "1 of them was there already and kept as found.",
    ]
    assert json.loads(run(*words, "--json"))["kept"] == 2


def test_the_way_that_is_named_after_a_repair_leads_on(run: Shell, images: Path, tmp_path: Path) -> None:
    channel = images / "A" / "CD3.tiff"
    data = channel.read_bytes()
    channel.write_bytes(data[: len(data) // 2])
    out = tmp_path / "out"
    said = run("export", "fov", images, "-m", "Two", "-o", out, code=1)
    words = said.split("Go on with: coverslip ")[1].splitlines()[0].split()
    assert words[-1] == "--retry-failed"
    channel.write_bytes(data)
    assert "2 of 2 files, completed." in run(*words)
    (out / "B.png").unlink()
    os.utime(images / "B" / "CD3.tiff", ns=(1, 1))
    assert "--changed use" in run("export", "fov", "--resume", words[3], code=1)
    assert "2 of 2 files" in run("export", "fov", "--resume", words[3], "--retry-failed", "--changed", "use")
    assert "expected fail or use" in run("export", "fov", "--resume", "last", "--changed", "x", code=2)


def test_last_is_the_last_export_of_its_kind_with_something_left(run: Shell, images: Path, tmp_path: Path) -> None:
    assert "there is no export of cells" in run("export", "cells", "--resume", "last", code=2)
    (images / "B" / "CD3.tiff").rename(tmp_path / "CD3.tiff")
    run("export", "cells", images, "-m", "Two", "-o", tmp_path / "cells", code=1)
    run("export", "cells", images / "A", "-m", "Two", "-o", tmp_path / "later")
    run("export", "fov", images / "A", "-m", "Two", "-o", tmp_path / "fields")
    (tmp_path / "CD3.tiff").rename(images / "B" / "CD3.tiff")
    said = run("export", "cells", "--resume", "last", "--retry-failed")
    assert f"{tmp_path / 'cells'}: 6 of 6 files, completed." in said
    said = run("export", "cells", "--resume", "last")
    assert "No export of cells has anything left: this is the last one." in said
    assert f"{tmp_path / 'later'}: 3 of 3 files, completed." in said
    said = run("export", "fov", "--resume", "last", "--json")
    job = json.loads(said[: said.rindex("}") + 1])["id"]
    assert f"coverslip export fov --resume {job[:8]}" in run("export", "cells", "--resume", job, code=2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--resume", "last", "--downsample", "2"), "--downsample do nothing with --resume"),
        (("--resume", "last", "-o", "x", "--dry-run"), "--out, --dry-run do nothing with --resume"),
        (("data", "--resume", "last"), "data do nothing with --resume"),
        (("data", "-m", "Two", "-o", "x", "--retry-failed"), "--retry-failed go with --resume alone"),
    ],
)
def test_options_that_would_do_nothing_are_refused(run: Shell, words: tuple[str, ...], said: str) -> None:
    assert said in run("export", "cells", *words, code=2)
