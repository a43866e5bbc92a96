"""Real processes killed at any instant: the catalog is accepted by the next start, nothing lost, nothing doubled."""

import random
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from coverslip.derive import VERSIONS, open_catalog
from coverslip.ingest.examine import checksum
from tests.files import write_folder, write_tiff
from tests.flows.killing import check_artifacts, check_whole, kill, rounds, start, wait_for
from tests.readers.generate_tiff import write_set

pytestmark = pytest.mark.kill


def test_add_killed_at_random_instants(home: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    chance = random.Random(1)
    paths = write_folder(tmp_path / "images", 400)
    for _ in range(rounds(request)):
        process = start(home, "add", tmp_path / "images")
        time.sleep(chance.uniform(0.6, 2.2))
        kill(process)
    assert wait_for(start(home, "add", tmp_path / "images")) == 0
    check_whole(home)
    with open_catalog(f"sqlite:///{home / 'catalog.sqlite'}") as catalog:
        page = catalog.list_images(limit=1000)
        assert sorted(image.path for image in page.images) == sorted(map(str, paths))
        assert {image.revision for image in page.images} == {1}
        assert catalog.counts(VERSIONS).artifacts_stale == len(paths)


def test_add_killed_while_it_follows_changes(home: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    chance = random.Random(4)
    images = tmp_path / "images"
    paths = write_folder(images, 200)
    (images / "set").mkdir()
    members = _write_set(images / "set", 0)
    assert wait_for(start(home, "add", images)) == 0
    for turn in range(1, rounds(request) + 1):
        for path in chance.sample(paths, 100):
            write_tiff(path, 1000 * turn + paths.index(path))
        _write_set(images / "set", turn)
        process = start(home, "add", images)
        _wait_for_the_first_batch(home, process)
        time.sleep(chance.uniform(0, 0.3))
        kill(process)
    assert wait_for(start(home, "add", images)) == 0
    check_whole(home)
    with open_catalog(f"sqlite:///{home / 'catalog.sqlite'}") as catalog:
        page = catalog.list_images(limit=1000)
        assert sorted(image.path for image in page.images) == sorted(map(str, [*paths, members[0]]))
        known = catalog.assets_under(str(images))
        assert {path: asset.checksum for path, asset in known.items()} == {
            str(path): checksum(path) for path in [*paths, *members]
        }
        assert all(catalog.artifact("thumbnail", image.id).wanted == image.revision for image in page.images)
        assert next(image.revision for image in page.images if image.path == str(members[0])) > 1


def _write_set(folder: Path, seed: int) -> list[Path]:
    stack = np.random.default_rng(seed).integers(0, 4000, (1, 5, 24, 32), dtype=np.uint16)
    return write_set(folder, stack, [f"z{z}.ome.tif" for z in range(5)])


def _wait_for_the_first_batch(home: Path, process: subprocess.Popen[str]) -> None:
    """Return when the process has written something, or has ended."""
    with closing(sqlite3.connect(home / "catalog.sqlite")) as database:
        before = database.execute("PRAGMA data_version").fetchone()
        while process.poll() is None and database.execute("PRAGMA data_version").fetchone() == before:
            time.sleep(0.01)


def test_worker_killed_at_random_instants(home: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    chance = random.Random(2)
    count = 300
    for number in range(count):
        write_tiff(tmp_path / "images" / f"{number}.tif", number, (3, 256, 256))
    assert wait_for(start(home, "add", tmp_path / "images")) == 0
    for _ in range(rounds(request)):
        process = start(home, "worker")
        time.sleep(chance.uniform(1.0, 2.5))
        kill(process)
    with open_catalog(f"sqlite:///{home / 'catalog.sqlite'}") as catalog:
        deadline = time.monotonic() + 90
        while catalog.counts(VERSIONS).artifacts_fresh < count and time.monotonic() < deadline:
            assert wait_for(start(home, "worker", "--until-done")) == 0  # leases of the killed run out meanwhile
        counts = catalog.counts(VERSIONS)
    assert (counts.artifacts_fresh, counts.artifacts_failed) == (count, 0)
    check_whole(home)
    check_artifacts(home)
