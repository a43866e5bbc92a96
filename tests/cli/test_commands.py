"""The commands as a person runs them: real processes, exit codes and sentences."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from coverslip.cli import COMMANDS
from coverslip.cli.output import EXIT_CODES, exit_code
from coverslip.errors import CoverslipError, NotFoundError, ReadError, UnsupportedFormatError
from coverslip.readers import formats
from tests.files import write_folder, write_tiff
from tests.services.web import serve_web


class Shell:
    """Runs commands with a home of their own."""

    def __init__(self, home: Path) -> None:
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERSLIP_")}
        self.environment["COVERSLIP_HOME"] = str(home)
        self.folder = home.parent

    def __call__(self, *words: object, code: int = 0) -> str:
        command = [sys.executable, "-m", "coverslip", *map(str, words)]
        done = subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, f"{words} left with {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    write_folder(tmp_path / "images", 3)
    return tmp_path / "images"


def test_help_lists_every_command_and_each_has_its_own(shell: Shell) -> None:
    text = shell("--help")
    assert all(name in text for name in COMMANDS)
    every = """
import sys
from coverslip.cli import COMMANDS, main
for name in COMMANDS:
    sys.argv = ["coverslip", name, "--help"]
    try:
        main([name, "--help"])
    except SystemExit as left:
        assert not left.code, (name, left.code)
"""
    done = subprocess.run(
        [sys.executable, "-c", every], env=shell.environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert [name for name in COMMANDS if f"coverslip {name}" not in done.stdout] == []


def test_a_wrong_command_is_named_and_a_near_one_suggested(shell: Shell) -> None:
    assert "Did you mean 'status'?" in shell("statsu", code=2)


def test_add_status_worker_and_back(shell: Shell, images: Path) -> None:
    assert "3 files opened" in shell("add", images)
    assert "0 files opened, 0 images read, 0 rows written" in shell("add", images)
    assert "0 fresh, 3 stale" in shell("status")
    assert "3 artifacts built" in shell("worker", "--until-done")
    counts = json.loads(shell("status", "--json"))
    assert (counts["images"], counts["artifacts_fresh"], counts["artifacts_stale"]) == (3, 3, 0)


def test_add_leaves_with_1_when_a_known_format_is_broken_and_says_why(shell: Shell, images: Path) -> None:
    (images / "notes.txt").write_text("hello")
    shell("add", images)
    (images / "bad.tif").write_bytes(b"II*\0broken")
    text = shell("add", images, code=1)
    assert f"{images / 'bad.tif'}: " in text
    document = json.loads(shell("add", images, "--json", code=1))
    assert document["outcomes"] == {"unchanged": 3, "unknown": 1, "broken": 1}


def test_add_of_nothing_is_one_sentence(shell: Shell, tmp_path: Path) -> None:
    assert shell("add", tmp_path / "nowhere", code=3) == (
        f"coverslip: {tmp_path / 'nowhere'}: there is no such file or folder\n"
    )


def test_info_says_what_is_known(shell: Shell, images: Path) -> None:
    text = shell("info", images / "image_000.tif")
    assert "T 1 C 1 Z 1 Y 48 X 64, uint16" in text
    assert "voxel size   unknown" in text
    document = json.loads(shell("info", images / "image_000.tif", "--json"))
    assert document["images"][0]["size_x"] == 64


def test_info_of_something_else_says_what_was_seen(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "cells.nd2"
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n")
    text = shell("info", path, code=1)
    assert "cells.nd2: no reader. First 8 bytes: b'version '" in text
    assert "Git LFS pointer" in text


def test_thumbnail_writes_a_picture(shell: Shell, images: Path, tmp_path: Path) -> None:
    for ending in ("png", "webp", "jpg"):
        out = tmp_path / f"out.{ending}"
        shell("thumbnail", images / "image_001.tif", "-o", out, "--size", "32")
        picture = cv2.imread(str(out))
        assert isinstance(picture, np.ndarray)
        assert picture.shape == (24, 32, 3)


def test_thumbnail_refuses_what_it_cannot_do(shell: Shell, images: Path, tmp_path: Path) -> None:
    path = images / "image_000.tif"
    assert "the ending decides the format" in shell("thumbnail", path, "-o", tmp_path / "x.gif", code=2)
    assert f"{path}: slice 9 does not exist" in shell("thumbnail", path, "-o", tmp_path / "x.png", "--z", "9", code=2)
    assert "there is no image 4" in shell("thumbnail", path, "-o", tmp_path / "x.png", "--image", "4", code=2)
    assert "expected numbers such as 0,2" in shell(
        "thumbnail", path, "-o", tmp_path / "x.png", "--channels", "red", code=2
    )
    assert not (tmp_path / "x.png").exists()


def test_doctor_is_content_and_names_what_is_wrong(shell: Shell, tmp_path: Path) -> None:
    text = shell("doctor")
    assert text.count("ok  reader") == len(formats())
    assert ".ims (experimental)" in text
    assert ".eer (experimental)" in text
    (tmp_path / "file").write_text("")
    shell.environment["COVERSLIP_STORAGE_URL"] = str(tmp_path / "file" / "inside")
    assert "no  storage" in shell("doctor", code=1)


def test_a_format_whose_package_is_missing(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pydicom'] = None\n")
    (tmp_path / "scan.dcm").write_bytes(bytes(128) + b"DICM" + bytes(100))
    shell.environment["PYTHONPATH"] = str(tmp_path)
    command = 'pip install "coverslip[formats]" (or just: pip install pydicom)'
    text = " ".join(shell("doctor").split())
    assert f"no reader dicom the package 'pydicom' is not installed: {command} .dicom .dcm" in text
    assert text.count("ok reader") == len(formats()) - 1
    assert command in " ".join(shell("info", tmp_path / "scan.dcm", code=1).split())


def test_a_wrong_setting_is_named(shell: Shell) -> None:
    shell.environment["COVERSLIP_WORKERS"] = "many"
    assert "workers" in shell("status", code=2)


def test_settings_come_from_a_file_too(shell: Shell, tmp_path: Path) -> None:
    del shell.environment["COVERSLIP_HOME"]
    (tmp_path / "coverslip.toml").write_text(f'home = "{tmp_path / "other"}"\n')
    shell("status")
    assert (tmp_path / "other" / "catalog.sqlite").exists()


def test_delete_restore_and_purge(shell: Shell, images: Path) -> None:
    shell("add", images)
    shell("worker", "--until-done")
    shell("delete", "no-such-id", code=3)
    image_id = _first_id(shell)
    assert "1 image deleted" in shell("delete", image_id)
    assert json.loads(shell("status", "--json"))["images"] == 2
    assert "1 image restored" in shell("restore", image_id)
    shell("delete", image_id)
    assert "1 image would be purged" in shell("purge", "--older-than-days", "0")
    assert "1 image purged" in shell("purge", "--older-than-days", "0", "--yes")
    assert len(list(images.iterdir())) == 3
    shell("add", images)
    assert json.loads(shell("status", "--json"))["images"] == 2
    shell("restore", image_id)  # its file was never touched
    assert json.loads(shell("status", "--json"))["images"] == 3


def test_purge_takes_unused_artifacts_too_and_says_what_it_could_not_remove(
    shell: Shell, images: Path, tmp_path: Path
) -> None:
    shell("add", images)
    shell("worker", "--until-done")
    stray = tmp_path / "home" / "artifacts" / "thumbnail" / "00" / f"{'0' * 64}.png"
    stray.parent.mkdir(parents=True, exist_ok=True)
    stray.write_bytes(b"of an earlier content")
    assert "unused" not in shell("purge"), "it may be one that is being published"
    os.utime(stray, (1, 1))
    assert "0 images and 1 unused artifact (21 B) would be purged" in shell("purge")
    assert stray.exists()
    assert "1 file removed" in shell("purge", "--yes")
    assert not stray.exists()

    shell("delete", _first_id(shell))
    thumbnails = tmp_path / "home" / "artifacts" / "thumbnail"
    thumbnails.rename(tmp_path / "elsewhere")
    thumbnails.symlink_to(thumbnails)
    text = shell("purge", "--older-than-days", "0", "--yes", code=5)
    assert "1 image purged, 0 files removed" in text
    assert f"coverslip: cannot remove {thumbnails}" in text


def _first_id(shell: Shell) -> str:
    code = (
        "from coverslip.derive import open_catalog; from coverslip.settings import Settings;"
        "c = open_catalog(Settings.load().catalog_url); print(c.list_images().images[0].id); c.close()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=shell.environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_demo_of_an_own_folder_catalogues_it(shell: Shell, images: Path, tmp_path: Path) -> None:
    text = shell("demo", images, "--folder", tmp_path / "demo", "--no-serve")
    assert "3 files seen: 3 added" in text


def test_every_error_has_an_exit_code() -> None:
    def branches(kind: type[CoverslipError]) -> list[type[CoverslipError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in branches(child))]

    codes = {kind: exit_code(kind.__new__(kind)) for kind in branches(CoverslipError)}
    assert codes[NotFoundError] == EXIT_CODES[NotFoundError]
    assert codes[ReadError] == codes[UnsupportedFormatError] == 1
    assert 0 not in codes.values()


def test_a_thumbnail_of_a_file_that_is_cut_short_writes_nothing(shell: Shell, tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "cut.tif")
    path.write_bytes(path.read_bytes()[:3000])
    text = shell("thumbnail", path, "-o", tmp_path / "x.png", code=1)
    assert str(path) in text
    assert [item.name for item in tmp_path.iterdir() if item.name.startswith("x")] == []


def test_commands_take_addresses(shell: Shell, images: Path) -> None:
    with serve_web(images) as web:
        shell.environment["COVERSLIP_REMOTE_ALLOWED"] = web.url
        address = f"{web.url}/image_001.tif"
        assert "1 added" in shell("add", address)
        assert "0 files opened, 0 images read, 0 rows written" in shell("add", address)
        assert f"{address}: 1 image, read by tiff" in shell("info", address)
        shell("thumbnail", address, "-o", images / "remote.png")
        shell("thumbnail", images / "image_001.tif", "-o", images / "local.png")
        assert (images / "remote.png").read_bytes() == (images / "local.png").read_bytes()
        shell("convert", address, images / "out.zarr")
        assert "1 artifact built" in shell("worker", "--until-done")
        assert "there is no such file" in shell("info", f"{web.url}/gone.tif", code=1)
        assert "COVERSLIP_REMOTE_ALLOWED" in shell("info", "https://elsewhere.example/x.tif", code=1)
        assert "no such kind of address" in shell("add", "ftp://host/x.tif", code=1)
