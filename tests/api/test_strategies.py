"""Who is noticed as working on an image, what is told to whoever watches, and combined images on demand."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from coverslip.api.noticing import WORK
from coverslip.api.strategies import building
from coverslip.derive import Builder, open_catalog
from coverslip.settings import Settings
from coverslip.storage import open_storage
from tests.api.conftest import Service, running

ID = "12345678-1234-1234-1234-123456789abc"


@pytest.fixture
def image_id(service: Service) -> str:
    path = service.settings.home.parent / "film.tif"
    tifffile.imwrite(path, np.zeros((20, 16, 24), np.uint8), imagej=True, metadata={"axes": "TYX"})
    found: str = service.upload(path).json()["id"]
    return found


def create(service: Service, image_id: str, first: int, last: int) -> str:
    body = {"frames": {"axis": "t", "first": first, "last": last}}
    answer = service.client.post(f"/api/images/{image_id}/annotations", json=body)
    found: str = answer.json()["annotation"]["id"]
    return found


@pytest.mark.parametrize(
    ("path", "is_work"),
    [
        (f"/api/images/{ID}/slice/4", True),
        (f"/api/images/{ID}/annotations", True),
        (f"/api/images/{ID}/zarr/0/c/0/0/0/0/0", True),
        (f"/api/annotations/{ID}", True),
        (f"/api/annotations/{ID}/undo", True),
        (f"/api/annotations/{ID}/history", True),
        (f"/api/images/{ID}/thumbnail", False),
        (f"/api/images/{ID}/artifacts/pending", False),
        (f"/api/images/{ID}/artifacts/process", False),
        (f"/api/annotations/{ID}/process-regen-queue", False),
        (f"/api/annotations/{ID}/combined", False),
        (f"/api/annotations/{ID}/thumbnail", False),
        (f"/api/images/{ID}", False),
        ("/api/images/", False),
        ("/api/health", False),
    ],
)
def test_what_is_work(path: str, is_work: bool) -> None:
    assert (WORK.match(path) is not None) is is_work


@pytest.mark.parametrize(
    ("changes", "threads"),
    [
        ({}, {"builder", "opportunistic"}),
        ({"opportunistic": False}, {"builder"}),
        ({"queue_url": "unix:///nowhere"}, {"opportunistic"}),
        ({"queue_url": "unix:///nowhere", "opportunistic": False}, set()),
    ],
)
def test_the_settings_say_who_builds(tmp_path: Path, changes: dict[str, Any], threads: set[str]) -> None:
    settings = Settings.load(home=tmp_path / "home", **changes)
    with open_catalog(settings.catalog_url) as catalog:
        builder = Builder(catalog, open_storage(settings.artifacts_url), lease_seconds=30)
        before = set(threading.enumerate())
        with building(builder, settings, threading.Event()):
            begun = {thread.name for thread in set(threading.enumerate()) - before}
            assert {name for name in begun if name in ("builder", "opportunistic")} == threads


def numbers(service: Service) -> dict[str, float]:
    answer = service.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = [line for line in answer.text.splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r'[a-z_]+(\{[a-z]+="[^"]*"(,le="[^"]*")?\})? [0-9.e+-]+', line) for line in lines)
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_metrics_follow_what_happens(service: Service, image_id: str) -> None:
    one = create(service, image_id, 0, 9)
    before = numbers(service)
    assert before['coverslip_stale_artifacts{kind="combined"}'] == 1
    assert before['coverslip_oldest_stale_seconds{kind="combined"}'] > 0
    assert before['coverslip_builds_total{kind="combined"}'] == 0
    assert service.client.get(f"/api/annotations/{one}/combined").status_code == 200
    after = numbers(service)
    assert after['coverslip_stale_artifacts{kind="combined"}'] == 0
    assert after['coverslip_oldest_stale_seconds{kind="combined"}'] == 0
    assert after['coverslip_builds_total{kind="combined"}'] == 1
    assert after['coverslip_build_seconds_count{kind="combined"}'] == 1
    assert after['coverslip_dirty_to_fresh_seconds_bucket{kind="combined",le="+Inf"}'] == 1
    assert "coverslip_queue_depth" not in after


def test_metrics_count_failures(service: Service, image_id: str) -> None:
    one = create(service, image_id, 0, 9)
    next(path for path in service.uploads if path.suffix == ".tif").write_bytes(b"no longer a TIFF")
    assert service.client.get(f"/api/annotations/{one}/combined").status_code >= 400
    assert numbers(service)['coverslip_build_failures_total{kind="combined"}'] == 1


def test_many_who_ask_for_one_combined_image_cause_one_build(service: Service, image_id: str) -> None:
    one = create(service, image_id, 0, 9)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: service.client.get(f"/api/annotations/{one}/combined"), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert numbers(service)['coverslip_builds_total{kind="combined"}'] == 1


def test_a_combined_image_that_takes_too_long_is_503_and_may_be_asked_for_again(tmp_path: Path) -> None:
    with running(tmp_path / "home", build_seconds=0.0001) as service:
        path = tmp_path / "film.tif"
        tifffile.imwrite(path, np.zeros((20, 16, 24), np.uint8), imagej=True, metadata={"axes": "TYX"})
        one = create(service, service.upload(path).json()["id"], 0, 9)
        answer = service.client.get(f"/api/annotations/{one}/combined")
        assert answer.status_code == 503, answer.text
        assert "ask again" in answer.text


def test_a_queue_that_is_away_is_said_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    url = f"unix://{tmp_path / 'no-such-socket'}"
    with running(tmp_path / "home", queue_url=url) as service:
        health = service.client.get("/api/health").json()
        assert (health["status"], health["queue"], health["queue_depth"]) == ("ok", "does not answer", None)
