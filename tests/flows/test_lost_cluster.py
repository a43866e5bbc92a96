"""The Dask scheduler is killed and comes back: the worker goes on by itself, and can be stopped meanwhile."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from coverslip.derive import open_catalog
from examples import annotator
from tests.api.conftest import running
from tests.flows.film import add_film, all_fresh, check_end, make_film, until
from tests.services.commands import Command, command
from tests.services.postgres import postgres
from tests.services.s3 import free_ports

pytestmark = [pytest.mark.service, pytest.mark.kill]

AWAY_SECONDS = 12.0
"""Longer than a client of Dask tries to reconnect by itself."""
STOP_SECONDS = 30.0


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as server:
        name = f"cluster{uuid4().hex}"
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        yield make_url(server).set(database=name).render_as_string(hide_password=False)


@contextmanager
def dask(folder: Path, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a part of a Dask cluster until the end of the block, where it is killed."""
    loopback = ("--host", "127.0.0.1", "--dashboard-address", "127.0.0.1:0")
    with (folder / f"dask-{words[0]}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words, *loopback],
            stdout=log,
            stderr=log,
            cwd=folder,
            env={**os.environ, "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s"},
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path, port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a scheduler at an address and one worker; gives the scheduler."""
    words = ("--no-nanny", "--nthreads", "2", "--local-directory", str(folder))
    with (
        dask(folder, "scheduler", "--port", str(port)) as scheduler,
        dask(folder, "worker", *words, f"tcp://127.0.0.1:{port}"),
    ):
        yield scheduler


def stop(worker: Command) -> None:
    """Tell a worker to end and fail unless it does soon."""
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(STOP_SECONDS) == 0, worker.said


def test_a_scheduler_that_is_killed_and_comes_back(tmp_path: Path, database: str) -> None:
    home, film, port = tmp_path / "home", make_film(), free_ports(1)[0]
    settings = {"database_url": database, "executor": f"dask://127.0.0.1:{port}", "lease_seconds": 2}
    words = ("worker", "--interval", "0.2", "--concurrency", "2")
    with running(home, database_url=database, lease_seconds=2) as service, ExitStack() as stack:
        image_id = add_film(service, film)
        annotator.work(service.client, image_id, 5, "ada")
        with ExitStack() as first:
            scheduler = first.enter_context(cluster(tmp_path, port))
            until(lambda: b"Scheduler at" in (tmp_path / "dask-scheduler.log").read_bytes())
            (tmp_path / "stopped").mkdir()
            going_on = stack.enter_context(command(home, *words, **settings))
            stopped = stack.enter_context(command(_same(home, tmp_path / "stopped"), *words, **settings))
            for worker in (going_on, stopped):
                worker.wait_to_say("waiting for artifacts")
            until(lambda: all_fresh(service))
            with open_catalog(database) as catalog:
                catalog.rebuild()
            scheduler.kill()
            scheduler.wait()
            going_on.wait_to_say("Dask scheduler at .* does not answer")
            stopped.wait_to_say("Dask scheduler at .* does not answer")
            stop(stopped)
            time.sleep(AWAY_SECONDS)
        with open_catalog(database) as catalog:
            catalog.rebuild()
        assert not all_fresh(service)
        with cluster(tmp_path, port):
            until(lambda: all_fresh(service))
            assert check_end(service, image_id, film) == 5
            assert going_on.said.count("does not answer") == 1, going_on.said
            assert "Traceback" not in going_on.said
            stop(going_on)


def _same(home: Path, folder: Path) -> Path:
    """Return another way to the same home, so that what a second worker says is written elsewhere."""
    (folder / "home").symlink_to(home, target_is_directory=True)
    return folder / "home"
