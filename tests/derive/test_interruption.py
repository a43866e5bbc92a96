"""Builders that are killed, paused, stopped or out of time: the work is done by somebody, once."""

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from coverslip import render
from coverslip.derive import Builder, GivenUp, InterruptibleImage, OpenSource, run_builder
from coverslip.errors import BuildError
from coverslip.model import ChannelInfo, ImageMetadata, Region
from coverslip.model.records import ImageRecord
from coverslip.storage import FolderStorage
from tests.derive.lab import KIND, LEASE, Lab, Recipe, recipe_of_revision

PROCESS = """
import sys, time
from pathlib import Path
from tests.derive.lab import Lab, Recipe

def work(record, source):
    print("building", flush=True)
    time.sleep(float(sys.argv[2]))
    return b"from the other process"

lab = Lab.open(Path(sys.argv[1]))
print(lab.builder(Recipe(work), lease_seconds=float(sys.argv[3])).build_next().state, flush=True)
"""

ROOT = Path(__file__).resolve().parents[2]


def other_process(folder: Path, *, builds_seconds: float, lease_seconds: float) -> "subprocess.Popen[str]":
    """Start a builder of its own that is in the middle of a build when this returns."""
    command = [sys.executable, "-c", PROCESS, str(folder), str(builds_seconds), str(lease_seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert process.stdout is not None
    assert process.stdout.readline() == "building\n"
    return process


def last_words(process: "subprocess.Popen[str]") -> str:
    with process:
        words, _ = process.communicate(timeout=20)
    return words.strip()


class Endless:
    """A recipe that reads one plane of a real file again and again, until it is told that nobody wants the result."""

    def __init__(self) -> None:
        self.reads = 0
        self.reading = threading.Event()

    def __call__(self, _record: ImageRecord, open_source: OpenSource) -> bytes:
        deadline = time.monotonic() + 20
        with open_source() as image:
            while time.monotonic() < deadline:
                image.read(0, Region.at_plane())
                self.reads += 1
                self.reading.set()
                time.sleep(0.002)
        raise AssertionError("nobody ended the build")


def add_real(lab: Lab) -> str:
    tifffile.imwrite(lab.folder / "cells.tif", np.zeros((4, 4), np.uint8))
    return lab.add()


@pytest.mark.kill
def test_another_builds_when_a_builder_is_killed(lab: Lab) -> None:
    image = lab.add()
    process = other_process(lab.folder, builds_seconds=60, lease_seconds=2)
    builder = lab.builder()
    assert builder.build_next() is None
    process.send_signal(signal.SIGKILL)
    assert last_words(process) == ""
    record = builder.ensure(KIND, image, 20)
    assert record.is_fresh(1)
    assert record.attempts == 0
    assert lab.content(image) == b"cells.tif revision 1"
    assert [item.key for item in lab.storage.list()] == [record.key]


@pytest.mark.kill
def test_a_builder_that_was_away_too_long_drops_its_result(lab: Lab) -> None:
    image = lab.add()
    process = other_process(lab.folder, builds_seconds=2, lease_seconds=0.5)
    process.send_signal(signal.SIGSTOP)
    try:
        record = lab.builder().ensure(KIND, image, 20)
    finally:
        process.send_signal(signal.SIGCONT)
    assert last_words(process) == "lost"
    assert lab.artifact(image) == record
    assert lab.content(image) == b"cells.tif revision 1"


def test_a_lease_is_renewed_for_as_long_as_the_build_takes(lab: Lab) -> None:
    image = lab.add()
    other = lab.builder(second := Recipe())
    leases: set[datetime | None] = set()

    def work(record: ImageRecord, open_source: OpenSource) -> bytes:
        deadline = time.monotonic() + 20
        while len(leases) < 3 and time.monotonic() < deadline:
            leases.add(lab.artifact(image).lease_until)
            assert other.build_next() is None
            time.sleep(0.05)
        return recipe_of_revision(record, open_source)

    outcome = lab.builder(Recipe(work), lease_seconds=3).build_next()
    assert outcome is not None
    assert (outcome.state, outcome.error) == ("built", None)
    assert len(leases) == 3
    assert None not in leases
    assert second.builds == 0


def test_ensure_waits_for_a_builder_in_another_process(lab: Lab) -> None:
    image = lab.add()
    process = other_process(lab.folder, builds_seconds=0.5, lease_seconds=30)
    record = lab.builder(recipe := Recipe()).ensure(KIND, image, 20)
    assert record.is_fresh(1)
    assert recipe.builds == 0
    assert last_words(process) == "built"


def test_a_stopped_worker_gives_its_claim_back_at_once(lab: Lab) -> None:
    image = add_real(lab)
    endless, stop = Endless(), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_builder, lab.builder(Recipe(endless)), 1, stop, None)
        assert endless.reading.wait(10)
        stop.set()
        running.result(10)
    record = lab.artifact(image)
    assert (record.lease_until, record.attempts, record.error) == (None, 0, None)
    assert lab.builder().ensure(KIND, image, 20).is_fresh(1)


def test_a_build_that_takes_longer_than_the_caller_may_is_given_back(lab: Lab) -> None:
    image = add_real(lab)
    endless = Endless()
    started = time.monotonic()
    with pytest.raises(BuildError, match="not built yet; ask again") as caught:
        lab.builder(Recipe(endless)).ensure(KIND, image, 0.3)
    assert time.monotonic() - started < 10
    assert caught.value.retryable
    assert endless.reads > 0
    record = lab.artifact(image)
    assert (record.lease_until, record.attempts, record.error) == (None, 0, None)


def test_a_builder_that_lost_its_claim_stops_reading(lab: Lab) -> None:
    image = add_real(lab)
    endless = Endless()
    other = Lab.open(lab.folder)
    other.clock.pass_seconds(3600)  # to this one the lease has run out
    with other.catalog, ThreadPoolExecutor(1) as pool:
        first = pool.submit(lab.builder(Recipe(endless), lease_seconds=0.3).build_next)
        assert endless.reading.wait(10)
        record = other.builder().ensure(KIND, image, 20)
        outcome = first.result(10)
    assert outcome is not None
    assert (outcome.state, outcome.error) == ("lost", None)
    assert lab.artifact(image) == record


def test_those_who_wait_for_a_slow_build_do_not_wait_longer_than_they_may(lab: Lab) -> None:
    image = lab.add()
    begun, finish = threading.Event(), threading.Event()

    def work(record: ImageRecord, open_source: OpenSource) -> bytes:
        begun.set()
        assert finish.wait(10)
        return recipe_of_revision(record, open_source)

    builder = lab.builder(recipe := Recipe(work))
    with ThreadPoolExecutor(1) as pool:
        patient = pool.submit(builder.ensure, KIND, image, 20)
        assert begun.wait(10)
        with pytest.raises(BuildError, match="ask again") as caught:
            builder.ensure(KIND, image, 0.05)
        assert caught.value.retryable
        finish.set()
        assert patient.result(10).is_fresh(1)
    assert recipe.builds == 1


def test_ctrl_c_gives_the_claim_back(lab: Lab) -> None:
    image = lab.add()

    def work(_record: ImageRecord, _open_source: OpenSource) -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        lab.builder(Recipe(work)).build_next()
    assert (lab.artifact(image).lease_until, lab.artifact(image).attempts) == (None, 0)
    assert lab.builder().build_next() is not None


class SlowToSweep(FolderStorage):
    """A storage that takes long to list."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.may_end = threading.Event()
        self.sweeps = 0

    def sweep(self, older_than_seconds: float, prefix: str = "") -> int:
        self.sweeps += 1
        self.may_end.wait(30)
        return super().sweep(older_than_seconds, prefix)


def test_nobody_waits_for_the_sweep_of_the_storage(lab: Lab) -> None:
    image_id = lab.add()
    storage = SlowToSweep(lab.folder / "slow")
    stop = threading.Event()
    builder = Builder(lab.catalog, storage, lease_seconds=LEASE, kinds={KIND: Recipe()})
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run_builder, builder, 1, stop)
        while not lab.is_fresh(image_id) and not running.done():
            time.sleep(0.01)
        assert not storage.may_end.is_set()
        assert storage.sweeps == 1
        stop.set()
        running.result(20)
        storage.may_end.set()


class _Counted:
    """An image of two blocks along Z, that counts how it is read."""

    is_concurrent = True

    def __init__(self) -> None:
        self.metadata = ImageMetadata(
            name="blocks",
            file_format="none",
            size_z=8,
            size_y=4,
            size_x=4,
            dtype="uint8",
            channels=(ChannelInfo(index=0, name="all"),),
        )
        self.spans: list[tuple[int, int]] = []

    def chunk(self, level: int) -> tuple[int, int, int, int, int]:
        return 1, 1, 4, 4, 4

    def read(self, level: int, region: Region) -> NDArray[Any]:
        out = np.empty(region.resolve(self.metadata.shape).shape, np.uint8)
        self.read_into(out, level, region)
        return out

    def read_into(self, out: NDArray[Any], level: int, region: Region) -> None:
        self.spans.append(region.resolve(self.metadata.shape).spans[2])
        out[...] = 3


def test_what_makes_reading_fast_is_passed_on() -> None:
    image = _Counted()
    wanted = InterruptibleImage(image, lambda: False)
    assert wanted.is_concurrent
    assert np.all(render.projection(wanted) == 3)
    assert image.spans == [(0, 4), (4, 8)]
    with pytest.raises(GivenUp):
        render.projection(InterruptibleImage(image, lambda: True))
