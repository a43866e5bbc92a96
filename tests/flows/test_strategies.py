"""One annotator's session, whoever builds: every combined image becomes the median of its frames, by itself.

On SQLite with threads, PostgreSQL with processes, PostgreSQL with a queue in Valkey, PostgreSQL with a Dask cluster.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import cv2
import numpy as np
import psycopg
import pytest
import tifffile
from sqlalchemy import make_url

from coverslip.derive import VERSIONS, open_catalog
from coverslip.storage import open_storage
from examples import annotator
from tests.api.conftest import Service, running
from tests.services.postgres import postgres
from tests.services.valkey import serve_valkey

FRAMES = 24
SECONDS = 120.0

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def film() -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    return np.random.default_rng(4).integers(0, 256, (FRAMES, 24, 32), np.uint8)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as address:
        yield address


@pytest.fixture
def database(server: str) -> Iterator[str]:
    name = f"strategies{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        url = make_url(server).set(database=name)
        yield url.render_as_string(hide_password=False)
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def command(home: Path, *words: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of our commands until the end of the block; it must end by itself when it is told to."""
    given = {f"COVERSLIP_{name.upper()}": value for name, value in settings.items()}
    environment = {**os.environ, "COVERSLIP_HOME": str(home), **given}
    log = home.parent / f"{words[0]}.log"
    with log.open("wb") as output:
        run = [sys.executable, "-m", "coverslip", *words]
        process = subprocess.Popen(run, env=environment, stdout=output, stderr=subprocess.STDOUT, cwd=home.parent)
        try:
            yield process
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()


def add_film(service: Service, pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]) -> str:
    path = service.settings.home.parent / "film.tif"
    tifffile.imwrite(path, pixels, imagej=True, metadata={"axes": "TYX"})
    found: str = service.upload(path).json()["id"]
    return found


def check_medians(service: Service, image_id: str, pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]) -> int:
    """Fail unless every published combined image is fresh and the median of its frames; return how many there are."""
    storage = open_storage(service.settings.artifacts_url)
    with open_catalog(service.settings.catalog_url) as catalog:
        annotations = catalog.annotations_of(image_id)
        for annotation in annotations:
            record = catalog.artifact("combined", image_id, annotation.id)
            assert record.is_fresh(VERSIONS["combined"])
            assert record.key is not None
            shown = cv2.imdecode(np.frombuffer(storage.read(record.key), np.uint8), cv2.IMREAD_UNCHANGED)
            frames = pixels[annotation.frames.first : annotation.frames.last + 1]
            assert shown is not None
            gray = shown if shown.ndim == 2 else shown[..., 0]
            np.testing.assert_array_equal(gray, np.rint(np.median(frames, axis=0)))
    assert [one.frames.first for one in annotations][1:] == [one.frames.last + 1 for one in annotations][:-1]
    return len(annotations)


def play(service: Service, pixels: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]) -> None:
    image_id = add_film(service, pixels)
    assert annotator.main([service.address, image_id, "--ranges", "5", "--seconds", str(SECONDS)]) == 0
    assert check_medians(service, image_id, pixels) == 5


def test_in_the_pauses_on_sqlite_with_threads(
    tmp_path: Path, film: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
) -> None:
    with running(tmp_path / "home", build_in_background=True, opportunistic_pause_seconds=2) as service:
        play(service, film)
        assert service.client.get("/api/health").json()["stale"] == 0
        numbers = service.client.get("/metrics").text
        assert 'coverslip_stale_artifacts{kind="combined"} 0\n' in numbers
        assert 'coverslip_dirty_to_fresh_seconds_count{kind="combined"}' in numbers


def test_a_periodic_worker_on_postgresql_with_processes(
    tmp_path: Path, database: str, film: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
) -> None:
    home = tmp_path / "home"
    words = ("worker", "--interval", "0.3", "--max-batch", "2", "--concurrency", "2")
    with (
        running(home, database_url=database) as service,
        command(home, *words, database_url=database, executor="processes"),
    ):
        play(service, film)


def test_a_queue_that_is_stopped_and_restarted(
    tmp_path: Path, database: str, film: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
) -> None:
    home = tmp_path / "home"
    with ExitStack() as stack:
        redis = stack.enter_context(serve_valkey())
        settings = {"database_url": database, "queue_url": redis}
        service = stack.enter_context(
            running(home, build_in_background=True, opportunistic=False, database_url=database, queue_url=redis)
        )
        with command(home, "queue-worker", "--interval", "3600", **settings):  # hears of everything from the queue
            play(service, film)
        stack.enter_context(command(home, "queue-worker", "--interval", "1", **settings))
        health = service.client.get("/api/health").json()
        assert health["queue"] == "ok"
        assert isinstance(health["queue_depth"], int)
        assert "coverslip_queue_depth" in service.client.get("/metrics").text
        stop_redis(redis)
        assert (
            service.client.get("/api/health").json() | {"queue": "does not answer"}
            == service.client.get("/api/health").json()
        )
        change_and_wait(service, film)
        with serve_valkey(Path(redis.removeprefix("unix://"))):
            until(lambda: service.client.get("/api/health").json()["queue"] == "ok")
            change_and_wait(service, film)


def test_a_dask_cluster_on_postgresql(
    tmp_path: Path, database: str, film: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]
) -> None:
    from distributed import LocalCluster

    home = tmp_path / "home"
    with (
        running(home, database_url=database) as service,
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
    ):
        address = cluster.scheduler_address.replace("tcp://", "dask://")
        with command(home, "worker", "--interval", "0.3", database_url=database, executor=address):
            play(service, film)


def change_and_wait(service: Service, film: np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]) -> None:
    """Move a boundary and wait until both sides are fresh."""
    image_id = service.client.get("/api/images/").json()["images"][0]["id"]
    second = service.client.get(f"/api/images/{image_id}/annotations").json()["annotations"][1]
    frames = {**second["frames"], "first": second["frames"]["first"] - 1}
    annotator.save(service.client, second["id"], "ada", frames=frames)
    until(lambda: not annotator.stale(service.client, image_id))
    check_medians(service, image_id, film)


def stop_redis(url: str) -> None:
    import redis

    with redis.Redis.from_url(url) as client:
        client.flushall()
        client.shutdown(nosave=True)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.1)


def test_the_example_says_when_it_was_in_vain(tmp_path: Path) -> None:
    with running(tmp_path / "home") as service:
        image_id = add_film(service, np.zeros((6, 8, 8), np.uint8))
        assert annotator.main([service.address, image_id, "--ranges", "2", "--seconds", "0.2"]) == 1
        with pytest.raises(SystemExit, match="there is no image"):
            annotator.main([service.address, str(uuid4())])
    with pytest.raises(SystemExit, match="no answer from"):
        annotator.main([service.address])
