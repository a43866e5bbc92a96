"""Servers killed while they take uploads, collections while they remove, workers that have started processes."""

import random
import socket
import subprocess
import time
from pathlib import Path

import httpx
import psutil
import pytest

from coverslip.catalog import Catalog
from coverslip.derive import VERSIONS, open_catalog
from tests.files import write_folder, write_tiff
from tests.flows.killing import check_artifacts, check_whole, kill, rounds, server, start, wait_for

pytestmark = pytest.mark.kill


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


def test_what_a_killed_worker_has_started_ends(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_folder(tmp_path / "images", 20)
    assert wait_for(start(home, "add", tmp_path / "images")) == 0
    monkeypatch.setenv("COVERSLIP_EXECUTOR", "processes")
    process = start(home, "worker", "--concurrency", "2")
    with open_catalog(f"sqlite:///{home / 'catalog.sqlite'}") as catalog:
        wait_until_fresh(catalog, 1)
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    kill(process)
    _, alive = psutil.wait_procs(children, 60)
    for one in alive:
        one.kill()
    assert not alive


def test_a_worker_goes_on_when_one_of_its_processes_is_killed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_folder(tmp_path / "images", 10)
    assert wait_for(start(home, "add", tmp_path / "images")) == 0
    monkeypatch.setenv("COVERSLIP_EXECUTOR", "processes")
    process = start(home, "worker", "--concurrency", "2", "--interval", "0.2")
    with open_catalog(f"sqlite:///{home / 'catalog.sqlite'}") as catalog:
        wait_until_fresh(catalog, 10)
        killed = []
        for one in psutil.Process(process.pid).children(recursive=True):
            if "spawn_main" in " ".join(one.cmdline()):
                one.kill()
                killed.append(one)
        assert killed
        assert catalog.rebuild() == 10
        wait_until_fresh(catalog, 10)
    assert process.poll() is None
    kill(process)


def wait_until_fresh(catalog: Catalog, count: int) -> None:
    deadline = time.monotonic() + 90
    while catalog.counts(VERSIONS).artifacts_fresh < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)
