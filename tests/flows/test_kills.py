"""Real processes killed at any instant: the catalog is accepted by the next start, nothing lost, nothing doubled."""

import hashlib
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from coverslip.derive import VERSIONS, open_catalog
from coverslip.ingest.examine import checksum
from tests.files import write_folder, write_tiff
from tests.readers.generate_tiff import write_set

pytestmark = pytest.mark.kill


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def start(home: Path, *words: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "COVERSLIP_HOME": str(home), "COVERSLIP_LEASE_SECONDS": "2", "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "coverslip", *map(str, words)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process, which may have ended, and let go of its output."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def wait_for(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=120)
    return process.returncode


def check_whole(home: Path) -> None:
    """Fail when the database is damaged or an image stands twice."""
    with closing(sqlite3.connect(home / "catalog.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def check_artifacts(home: Path) -> None:
    """Fail when a published artifact is not what its name says."""
    found = [path for path in (home / "artifacts").rglob("*") if path.is_file() and not path.name.startswith(".")]
    published = [path for path in found if path.parent.name != "catalogs"]
    assert published
    for path in published:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem, f"{path} is torn"


def rounds(request: pytest.FixtureRequest) -> int:
    return 60 if request.config.getoption("--long") else 6


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


def test_gc_killed_at_random_instants(home: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    count = 60
    for number in range(count):
        write_tiff(tmp_path / "images" / f"{number}.tif", number, (1, 64, 64))
    assert wait_for(start(home, "add", tmp_path / "images")) == 0
    with open_catalog(f"sqlite:///{home / 'catalog.sqlite'}") as catalog, pytest.MonkeyPatch.context() as patch:
        patch.setenv("COVERSLIP_GC_GRACE_SECONDS", "0")
        for _ in range(rounds(request) // 2):
            assert wait_for(start(home, "worker", "--until-done")) == 0
            before = sum(item.stat().st_size for item in published_in(home))
            process = start(home, "gc", "--limit", before // 2)
            wait_for_a_removal(home, process)
            kill(process)
            check_whole(home)
            check_artifacts(home)
            for image in catalog.list_images(limit=1000).images:  # as if somebody had looked at each
                key = catalog.artifact("thumbnail", image.id).key
                if key is not None and not (home / "artifacts" / key).exists():
                    catalog.mark("thumbnail", [image.id])
        assert wait_for(start(home, "worker", "--until-done")) == 0
        assert catalog.counts(VERSIONS).artifacts_fresh == count
        whole = sum(item.stat().st_size for item in published_in(home))
        assert wait_for(start(home, "gc", "--limit", whole // 2)) == 0
        assert sum(item.stat().st_size for item in published_in(home)) <= whole // 2
    with server(home) as (_, address), httpx.Client(base_url=address, timeout=60) as client:
        for image in client.get("/api/images/", params={"limit": 1000}).json()["images"]:
            assert client.get(f"/api/images/{image['id']}/thumbnail").status_code == 200
    check_artifacts(home)
    assert len(published_in(home)) == count


def published_in(home: Path) -> list[Path]:
    return [path for path in (home / "artifacts" / "thumbnail").rglob("*.png") if path.is_file()]


def wait_for_a_removal(home: Path, process: subprocess.Popen[str]) -> None:
    """Return when the process has removed something, or has ended."""
    before = len(published_in(home))
    while process.poll() is None and len(published_in(home)) == before:
        time.sleep(0.001)


@contextmanager
def server(home: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = start(home, "serve", "--port", "0")
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        yield process, line.split(" at ")[1].split(" ")[0].rstrip("/")
    finally:
        kill(process)


def test_server_killed_while_uploading(home: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    chance = random.Random(3)
    source = write_tiff(tmp_path / "up.tif", 5, (4, 256, 256)).read_bytes()
    acknowledged: list[str] = []
    for turn in range(rounds(request) // 2):
        with server(home) as (process, address), httpx.Client(base_url=address, timeout=30) as client:
            deadline = time.monotonic() + chance.uniform(0.3, 1.5)
            number = 0
            while time.monotonic() < deadline:
                answer = client.post("/api/images/upload", files={"file": (f"up{turn}_{number}.tif", source)})
                assert answer.status_code == 201
                acknowledged.append(answer.json()["id"])
                number += 1
            waiting = _send_half(address, source)
            kill(process)
            waiting.close()
    with server(home) as (_, address), httpx.Client(base_url=address, timeout=60) as client:
        listed = client.get("/api/images/", params={"limit": 1000}).json()
        found = {image["id"] for image in listed["images"]}
        assert set(acknowledged) <= found
        for image_id in sorted(found):
            assert client.get(f"/api/images/{image_id}/download").content == source
            assert client.get(f"/api/images/{image_id}/thumbnail").status_code == 200
    check_whole(home)
    check_artifacts(home)


def _send_half(address: str, source: bytes) -> socket.socket:
    """Start an upload that never ends."""
    host, port = address.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="half.tif"\r\n\r\n'
    request = (
        f"POST /api/images/upload HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {len(source) + 1000}\r\n\r\n"
    )
    connection.sendall(request.encode() + head + source[: len(source) // 2])
    return connection
