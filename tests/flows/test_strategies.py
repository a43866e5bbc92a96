"""One annotator's session, whoever builds: every combined image becomes the median of its frames, by itself.

On SQLite with threads, PostgreSQL with processes, PostgreSQL with a queue in Valkey, PostgreSQL with a Dask cluster.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from uuid import uuid4

import numpy as np
import psycopg
import pytest
from sqlalchemy import make_url

from examples import annotator
from tests.api.conftest import Service, running
from tests.flows.film import SECONDS, Film, add_film, check_medians, make_film, until
from tests.services.commands import command
from tests.services.postgres import postgres
from tests.services.valkey import serve_valkey

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def film() -> Film:
    return make_film()


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


def play(service: Service, pixels: Film) -> None:
    image_id = add_film(service, pixels)
    assert annotator.main([service.address, image_id, "--ranges", "5", "--seconds", str(SECONDS)]) == 0
    assert check_medians(service, image_id, pixels) == 5


def test_in_the_pauses_on_sqlite_with_threads(tmp_path: Path, film: Film) -> None:
    with running(tmp_path / "home", build_in_background=True, opportunistic_pause_seconds=2) as service:
        play(service, film)
        assert service.client.get("/api/health").json()["stale"] == 0
        numbers = service.client.get("/metrics").text
        assert 'coverslip_stale_artifacts{kind="combined"} 0\n' in numbers
        assert 'coverslip_dirty_to_fresh_seconds_count{kind="combined"}' in numbers


def test_a_periodic_worker_on_postgresql_with_processes(tmp_path: Path, database: str, film: Film) -> None:
    home = tmp_path / "home"
    words = ("worker", "--interval", "0.3", "--max-batch", "2", "--concurrency", "2")
    with (
        running(home, database_url=database) as service,
        command(home, *words, database_url=database, executor="processes"),
    ):
        play(service, film)


def test_a_queue_that_is_stopped_and_restarted(tmp_path: Path, database: str, film: Film) -> None:
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


def test_a_dask_cluster_on_postgresql(tmp_path: Path, database: str, film: Film) -> None:
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


def change_and_wait(service: Service, film: Film) -> None:
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


def test_the_example_says_when_it_was_in_vain(tmp_path: Path) -> None:
    with running(tmp_path / "home") as service:
        image_id = add_film(service, np.zeros((6, 8, 8), np.uint8))
        assert annotator.main([service.address, image_id, "--ranges", "2", "--seconds", "0.2"]) == 1
        with pytest.raises(SystemExit, match="there is no image"):
            annotator.main([service.address, str(uuid4())])
    with pytest.raises(SystemExit, match="no answer from"):
        annotator.main([service.address])
