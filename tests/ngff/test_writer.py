import errno
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import tifffile
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ome_zarr_models.v04.image import Image as ImageV04
from ome_zarr_models.v05.image import Image as ImageV05

import coverslip
from coverslip.errors import ConflictError, ReadError, StorageError
from coverslip.model import PhysicalSize, Region
from coverslip.ngff import Version, layout, lock, pyramid, to_store, write
from tests.ngff.images import ArrayImage, array_of, channels_of, some
from tests.ngff.test_means import TYPES

VERSIONS: list[Version] = ["0.5", "0.4"]


def check_same(folder: Path, image: ArrayImage, version: Version) -> None:
    """Fail unless the folder holds what the image's virtual store shows, and nothing was left out or behind."""
    written, virtual = zarr.open_group(folder, mode="r"), zarr.open_group(to_store(image, version), mode="r")
    assert sorted(written.array_keys()) == sorted(virtual.array_keys())
    assert written.attrs.asdict() == virtual.attrs.asdict()
    for name in virtual.array_keys():
        assert array_of(written, name).dtype == array_of(virtual, name).dtype
        np.testing.assert_array_equal(array_of(written, name)[...], array_of(virtual, name)[...])
    assert not folder.with_name(f"{folder.name}.partial").exists()


@pytest.fixture
def small_bricks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 16, bricks of 32 and pieces of few bricks: small images show what large ones would."""
    monkeypatch.setattr(layout, "PLANE_CHUNK", 16)
    monkeypatch.setattr(layout, "PLANE_BRICK", 32)
    monkeypatch.setattr(layout, "VOLUME_CHUNK", 8)
    monkeypatch.setattr(layout, "VOLUME_BRICK", 16)
    monkeypatch.setattr(layout, "BRICK_BYTES", 4096)
    monkeypatch.setattr(layout, "REDUCED_BYTES", 8192)
    monkeypatch.setattr(layout, "WIDEST_PIECE", 64)
    monkeypatch.setattr(pyramid, "SMALLEST", 8)
    monkeypatch.setattr(pyramid, "BLOCK_VALUES", 600)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_comes_back(tmp_path: Path, version: Version, dtype: str) -> None:
    image = ArrayImage(some((2, 2, 3, 301, 263), dtype))
    assert write(image, tmp_path / "out.zarr", source="a", version=version)
    check_same(tmp_path / "out.zarr", image, version)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.usefixtures("small_bricks")
def test_any_shape_is_written_as_it_is_served(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    sides = [data.draw(st.integers(1, most)) for most in (2, 2, 20, 150, 150)]
    samples = data.draw(st.sampled_from([1, 1, 3]))
    shape = (*sides, *((samples,) if samples > 1 else ()))
    facts: dict[str, Any] = {f"pixel_size_{axis}": PhysicalSize(value=1) for axis in "zyx"}
    is_even = data.draw(st.booleans())
    own = [some(shape, "uint8")]
    if data.draw(st.booleans()):
        own.append(some((*sides[:2], *(-(-side // 2) for side in sides[2:]), *shape[5:]), "uint8", 1))
    image = ArrayImage(*own, **(facts if is_even else {}))
    version = data.draw(st.sampled_from(VERSIONS))
    folder = tmp_path_factory.mktemp("written") / "out.zarr"
    assert write(image, folder, source="a", version=version, workers=data.draw(st.integers(1, 3)))
    check_same(folder, image, version)


def test_sharded_planes_and_cubes_as_other_programs_see_them(tmp_path: Path) -> None:
    planes = ArrayImage(some((1, 1, 40, 600, 2100), "uint8"))
    write(planes, tmp_path / "planes.zarr", source="a")
    array = zarr.open_array(tmp_path / "planes.zarr" / "0", mode="r")
    assert (array.chunks, array.shards) == ((1, 1, 1, 512, 512), (1, 1, 27, 1024, 2048))
    sizes: dict[str, Any] = {f"pixel_size_{axis}": PhysicalSize(value=13, unit="angstrom") for axis in "zyx"}
    cubes = ArrayImage(some((1, 1, 70, 130, 600), "float32"), **sizes)
    write(cubes, tmp_path / "cubes.zarr", source="a")
    array = zarr.open_array(tmp_path / "cubes.zarr" / "0", mode="r")
    assert (array.chunks, array.shards) == ((1, 1, 64, 64, 64), (1, 1, 64, 192, 512))
    np.testing.assert_array_equal(array[...], cubes.levels[0])
    write(planes, tmp_path / "old.zarr", source="a", version="0.4")
    old = zarr.open_array(tmp_path / "old.zarr" / "0", mode="r")
    assert (old.metadata.zarr_format, old.chunks) == (2, (1, 1, 1, 512, 512))
    ImageV05.from_zarr(zarr.open_group(tmp_path / "cubes.zarr", mode="r"))
    ImageV04.from_zarr(zarr.open_group(tmp_path / "old.zarr", mode="r"))


def test_our_own_reader_reads_it_too(tmp_path: Path) -> None:
    image = ArrayImage(some((2, 3, 2, 300, 40)), pixel_size_x=PhysicalSize(value=0.25), time_increment_s=3.0)
    for version in VERSIONS:
        write(image, tmp_path / f"{version}.zarr", source="a", version=version)
        with coverslip.open_image(tmp_path / f"{version}.zarr") as file:
            (found,) = file.images
            np.testing.assert_array_equal(found.to_numpy(), image.levels[0])
            assert found.metadata.pixel_size_x == PhysicalSize(value=0.25)
            assert found.metadata.pixel_size_y is None
            assert found.metadata.time_increment_s == 3.0
            assert found.metadata.format_variant == version


@pytest.mark.usefixtures("small_bricks")
@pytest.mark.parametrize("version", VERSIONS)
def test_a_stopped_conversion_goes_on_and_reads_nothing_twice(tmp_path: Path, version: Version) -> None:
    image = ArrayImage(some((1, 2, 4, 200, 150)))
    seen: list[tuple[int, int]] = []
    options: dict[str, Any] = {"source": "a", "version": version, "workers": 1}
    stopped = not write(
        image,
        tmp_path / "o.zarr",
        on_progress=lambda *at: seen.append(at),
        should_stop=lambda: len(seen) >= 2,
        **options,
    )
    assert stopped
    assert not (tmp_path / "o.zarr").exists()
    assert seen[-1][0] < seen[-1][1]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "o.zarr.partial").rglob("*/c/*") if path.is_file()}
    seen.clear()
    assert write(image, tmp_path / "o.zarr", on_progress=lambda *at: seen.append(at), **options)
    assert seen[-1][0] == seen[-1][1]
    check_same(tmp_path / "o.zarr", image, version)
    for path, time_ns in before.items():
        final = tmp_path / "o.zarr" / path.relative_to(tmp_path / "o.zarr.partial" / "image")
        assert final.stat().st_mtime_ns == time_ns


def test_nothing_is_overwritten_and_nothing_else_is_continued(tmp_path: Path) -> None:
    image = ArrayImage(some((1, 1, 1, 30, 30)))
    write(image, tmp_path / "o.zarr", source="a")
    with pytest.raises(ConflictError, match="exists already"):
        write(image, tmp_path / "o.zarr", source="a")
    check_same(tmp_path / "o.zarr", image, "0.5")
    assert not write(image, tmp_path / "p.zarr", source="a", should_stop=lambda: True)
    for source, version in (("b", "0.5"), ("a", "0.4")):
        with pytest.raises(ConflictError, match="interrupted conversion of another"):
            write(image, tmp_path / "p.zarr", source=source, version=version)  # type: ignore[arg-type]  # a literal
    (tmp_path / "r.zarr.partial").mkdir()
    (tmp_path / "r.zarr.partial" / "0123.tmp").write_text("")  # killed before anything was begun
    assert write(image, tmp_path / "r.zarr", source="a")
    check_same(tmp_path / "r.zarr", image, "0.5")
    (tmp_path / "q.zarr.partial").mkdir()
    (tmp_path / "q.zarr.partial" / "precious").write_text("")
    with pytest.raises(ConflictError, match="no conversion"):
        write(image, tmp_path / "q.zarr", source="a")
    assert (tmp_path / "q.zarr.partial" / "precious").exists()


def test_one_place_is_written_once_at_a_time(tmp_path: Path) -> None:
    image = ArrayImage(some((1, 1, 1, 30, 30)))
    refused: list[str] = []

    def try_again() -> bool:
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(ConflictError) as error:
            write(image, tmp_path / "o.zarr", source="a")
        refused.append(str(error.value))
        assert sorted(tmp_path.rglob("*")) == before
        return False

    assert write(image, tmp_path / "o.zarr", source="a", should_stop=try_again)
    assert refused
    assert all("o.zarr.partial: is being written by another process" in text for text in refused)
    check_same(tmp_path / "o.zarr", image, "0.5")


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    image = ArrayImage(some((1, 1, 1, 30, 30)))
    script = (
        "import sys, pathlib, time\n"
        "from coverslip.ngff import lock\n"
        "with lock.held(pathlib.Path(sys.argv[1])):\n"
        "    print('held', flush=True)\n"
        "    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "o.zarr.partial")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            with pytest.raises(ConflictError, match="is being written by another process"):
                write(image, tmp_path / "o.zarr", source="a")
        finally:
            process.kill()
    assert (tmp_path / "o.zarr.partial" / lock.NAME).exists()
    assert write(image, tmp_path / "o.zarr", source="a")
    check_same(tmp_path / "o.zarr", image, "0.5")


def test_drives_without_locks_are_written_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    image = ArrayImage(some((1, 1, 1, 30, 30)))
    assert write(image, tmp_path / "o.zarr", source="a")
    check_same(tmp_path / "o.zarr", image, "0.5")


def test_killed_between_the_rename_and_the_end(tmp_path: Path) -> None:
    image = ArrayImage(some((1, 1, 1, 30, 30)))
    assert not write(image, tmp_path / "o.zarr", source="a", should_stop=lambda: True)
    record = (tmp_path / "o.zarr.partial" / "conversion.json").read_bytes()
    assert write(image, tmp_path / "o.zarr", source="a")
    (tmp_path / "o.zarr.partial").mkdir()
    (tmp_path / "o.zarr.partial" / "conversion.json").write_bytes(record)
    assert write(image, tmp_path / "o.zarr", source="a")
    check_same(tmp_path / "o.zarr", image, "0.5")


def test_a_failed_read_publishes_nothing_and_can_be_tried_again(tmp_path: Path) -> None:
    pixels = some((1, 1, 60, 600, 600))
    with pytest.raises(ReadError):
        write(ArrayImage(pixels, broken=Region(z=(59, 60))), tmp_path / "o.zarr", source="a")
    assert not (tmp_path / "o.zarr").exists()
    image = ArrayImage(pixels)
    assert write(image, tmp_path / "o.zarr", source="a")
    check_same(tmp_path / "o.zarr", image, "0.5")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    image = ArrayImage(some((1, 1, 1, 30, 30)))
    with pytest.raises(StorageError, match="cannot be written"):
        write(image, tmp_path / "nowhere" / "o.zarr", source="a")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written"):
        write(image, tmp_path / "file" / "o.zarr", source="a")
    with pytest.raises(ConflictError):
        write(image, Path("/"), source="a")


def test_memory_is_bounded_by_the_piece_not_by_the_image(tmp_path: Path) -> None:
    plane = np.random.default_rng(0).integers(0, 4000, (1, 1, 1, 1024, 1024)).astype(np.uint16)
    image = ArrayImage(np.broadcast_to(plane, (1, 1, 400, 1024, 1024)))  # 800 MiB that take 2
    process = psutil.Process()
    before = process.memory_info().rss
    highest = 0

    def look(_done: int, _total: int) -> None:
        nonlocal highest
        highest = max(highest, process.memory_info().rss)

    assert write(image, tmp_path / "o.zarr", source="a", workers=1, on_progress=look)
    assert highest - before < 250 << 20
    array = zarr.open_array(tmp_path / "o.zarr" / "0", mode="r")
    np.testing.assert_array_equal(array[0, 0, 399], plane[0, 0, 0])


@pytest.mark.kill
def test_killed_at_random_instants(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    chance = random.Random(7)
    source = tmp_path / "cells.tif"
    pixels = channels_of(some((1, 2, 60, 700, 900)))
    tifffile.imwrite(source, pixels[0], metadata={"axes": "CZYX"}, ome=True)
    command = [sys.executable, "-m", "coverslip", "convert", str(source), str(tmp_path / "o.zarr"), "--workers", "2"]
    environment = {**os.environ, "COVERSLIP_HOME": str(tmp_path / "home")}
    kept = 0
    for _ in range(40 if request.config.getoption("--long") else 5):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.5, 1.6))
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (tmp_path / "o.zarr").exists():
            break
        done = [path for path in (tmp_path / "o.zarr.partial").rglob("c/**/*") if path.is_file()]
        assert len(done) >= kept
        kept = len(done)
    if not (tmp_path / "o.zarr").exists() or (tmp_path / "o.zarr.partial").exists():
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    with coverslip.open_image(source) as file:
        virtual = zarr.open_group(to_store(file.images[0]), mode="r")
        written = zarr.open_group(tmp_path / "o.zarr", mode="r")
        assert sorted(written.array_keys()) == sorted(virtual.array_keys()) == ["0", "1", "2"]
        for name in virtual.array_keys():
            np.testing.assert_array_equal(array_of(written, name)[...], array_of(virtual, name)[...])
    np.testing.assert_array_equal(array_of(written, "0")[...], pixels)
    assert [path.name for path in tmp_path.glob("o.zarr*")] == ["o.zarr"]
    assert json.loads((tmp_path / "o.zarr" / "zarr.json").read_text())["node_type"] == "group"
