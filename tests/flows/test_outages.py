"""PostgreSQL goes away in the middle of the work: clear words meanwhile, everything fresh and kept afterwards."""

import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from sqlalchemy import make_url

from coverslip.derive import open_catalog
from examples import annotator
from tests.api.checks import check_problem
from tests.api.conftest import Service, running
from tests.api.test_events import listening
from tests.flows.film import Film, add_film, all_fresh, check_end, make_film, until
from tests.services.commands import Command, command, server
from tests.services.postgres import PASSWORD, PostgresServer, postgres_server
from tests.services.s3 import free_ports
from tests.services.valkey import serve_valkey

pytestmark = pytest.mark.service

AWAY_SECONDS = 2.5
"""Longer than the lease, and than every builder waits between two looks."""


@pytest.fixture(scope="module")
def film() -> Film:
    return make_film()


@pytest.fixture(scope="module")
def database_server() -> Iterator[PostgresServer]:
    with postgres_server(synchronous_commit="on") as found:  # what was acknowledged has to outlive a crash
        yield found


@pytest.fixture
def database(database_server: PostgresServer) -> str:
    name = f"outage{uuid4().hex}"
    with psycopg.connect(database_server.address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return make_url(database_server.address).set(database=name).render_as_string(hide_password=False)


class Annotator:
    """Moves boundaries without a pause, and sends a save again, by its name, until it is acknowledged."""

    def __init__(self, address: str, ids: list[str]) -> None:
        self.acknowledged: list[tuple[str, str]] = []
        """Annotation and words of each save."""
        self.refusals: list[httpx.Response] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, args=(address, ids))

    def __enter__(self) -> "Annotator":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _work(self, address: str, ids: list[str]) -> None:
        with httpx.Client(base_url=address, timeout=30) as client:
            while not self._stop.is_set():
                number = len(self.acknowledged)
                annotation_id, words = ids[number % len(ids)], f"save {number}"
                now = self._ask(client, "GET", f"/api/annotations/{annotation_id}", None)
                if now is None:
                    return
                step = -1 if (number // len(ids)) % 2 == 0 else 1
                frames = {**now["frames"], "first": now["frames"]["first"] + step}
                body = {"frames": frames, "text": words, "revision": now["revision"], "save_id": str(uuid4())}
                if self._ask(client, "PATCH", f"/api/annotations/{annotation_id}", body) is None:
                    return
                self.acknowledged.append((annotation_id, words))
                self._stop.wait(0.05)

    def _ask(self, client: httpx.Client, method: str, address: str, body: object) -> dict[str, Any] | None:
        """Return the answer of the first attempt that is answered well; ``None`` when nobody waits any more."""
        while True:
            answer = client.request(method, address, json=body)
            if answer.status_code == 200:
                found: dict[str, Any] = answer.json()
                return found
            self.refusals.append(answer)
            if self._stop.wait(0.1):
                return None


class Listener:
    """Follows the events, and comes back with the last number it has seen whenever the stream ends."""

    def __init__(self, address: str) -> None:
        self.numbers: list[int] = []
        self._address = address
        self._is_over = False
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while not self._is_over:
            last = self.numbers[-1] if self.numbers else 0
            with suppress(AssertionError, StopIteration, httpx.HTTPError), listening(self._address, last) as stream:
                for message in stream:
                    assert message["event"] != "reset"
                    self.numbers.append(int(message["id"]))
            time.sleep(0.2)

    def check(self, service: Service) -> None:
        """Fail unless it hears of everything, each once and in order."""
        with open_catalog(service.settings.catalog_url) as catalog:
            until(lambda: bool(self.numbers) and self.numbers[-1] == catalog.last_event(), "not all events came")
        self._is_over = True
        assert self.numbers == list(range(1, self.numbers[-1] + 1))


def check_refused(service: Service, image_id: str) -> None:
    """Fail unless everybody hears in one sentence that the catalog does not answer, and health says it too."""
    for path in ("images/", f"images/{image_id}/thumbnail", f"images/{image_id}/annotations", "artifacts/", "events"):
        answer = service.client.get(f"/api/{path}")
        check_problem(answer, 503, "catalog-unavailable")
        assert answer.headers["retry-after"] == "5"
        assert re.fullmatch(r"the catalog postgresql://\S+ cannot be used: Connection refused", answer.json()["detail"])
        assert PASSWORD not in answer.text
    health = service.client.get("/api/health")
    assert health.status_code == 503
    document = health.json()
    assert (document["status"], document["storage"], document["images"]) == ("degraded", "ok", None)
    assert "Connection refused" in document["catalog"]
    assert PASSWORD not in health.text


def check_log(running: Command) -> None:
    """Fail unless a command has said what was wrong, each sentence once, and nothing but sentences."""
    assert "Connection refused" in running.said
    assert "Traceback" not in running.said
    assert PASSWORD not in running.said
    lines = [line for line in running.said.splitlines() if " built, " not in line]  # two batches may be alike
    often = {line: number for line, number in Counter(lines).items() if number > 1}
    assert often == {}


def test_a_crash_of_the_database_while_the_server_saves_and_builds(
    tmp_path: Path, film: Film, database_server: PostgresServer, database: str
) -> None:
    settings = {"database_url": database, "lease_seconds": 2, "opportunistic_pause_seconds": 2}
    with server(tmp_path / "home", **settings) as (service, serving):
        image_id, other_id = add_film(service, film), add_film(service, film)
        ids = annotator.work(service.client, image_id, 5, "ada")
        listener = Listener(service.address)
        with Annotator(service.address, ids[1:]) as saver:
            until(lambda: len(saver.acknowledged) > 5)
            with closing(psycopg.connect(database)) as locker:
                locker.execute("LOCK TABLE annotation_change IN EXCLUSIVE MODE")
                until(lambda: _waits_for_a_lock(database))
                before = len(saver.acknowledged)
                database_server.stop(signal.SIGQUIT)
            time.sleep(AWAY_SECONDS)
            check_refused(service, image_id)
            assert len(saver.acknowledged) == before
            said = len(serving.said)
            database_server.start()
            until(lambda: len(saver.acknowledged) > before + 5)
        assert saver.refusals[0].request.method == "PATCH"  # the one that waited for the lock
        for refusal in saver.refusals:
            check_problem(refusal, 503, "catalog-unavailable")
            assert PASSWORD not in refusal.text
        thumbnail = service.client.get("/api/artifacts/", params={"image_id": other_id}).json()["artifacts"][0]["id"]
        assert service.client.post(f"/api/artifacts/{thumbnail}/rebuild").status_code == 200
        assert check_end(service, image_id, film) == 5
        assert f"image {image_id}: " in serving.said[said:]  # built in a pause; the other one is the builder's
        assert service.client.get("/api/health").json()["status"] == "ok"
        listener.check(service)
        with open_catalog(database) as catalog:
            revisions = {one: catalog.annotation_history(one) for one in ids}
        kept = Counter(
            (one, revision.content.text)
            for one in ids
            for revision in revisions[one]
            if revision.action == "save" and revision.content.text
        )
        assert kept == Counter(saver.acknowledged)
        check_log(serving)


def _waits_for_a_lock(database: str) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with psycopg.connect(database) as connection:
        row = connection.execute(waiting).fetchone()
    return row is not None and row[0] > 0


def test_a_restart_of_the_database_while_workers_build(
    tmp_path: Path, film: Film, database_server: PostgresServer, database: str
) -> None:
    home, ports = tmp_path / "home", free_ports(2)
    settings = {"database_url": database, "lease_seconds": 2}
    with running(home, database_url=database, lease_seconds=2) as service, serve_valkey() as redis:
        image_id = add_film(service, film)
        annotator.work(service.client, image_id, 5, "ada")
        worker = ("worker", "--interval", "0.2", "--max-batch", "1", "--concurrency", "1")
        hearing = ("queue-worker", "--interval", "0.3", "--concurrency", "1")
        with (
            command(home, *worker, "--metrics-port", str(ports[0]), **settings) as working,
            command(home, *hearing, "--metrics-port", str(ports[1]), queue_url=redis, **settings) as answering,
        ):
            working.wait_to_say("waiting for artifacts")
            answering.wait_to_say("waiting for messages")
            until(lambda: all_fresh(service))
            with closing(psycopg.connect(database)) as locker, open_catalog(database) as catalog:
                locker.execute("LOCK TABLE event IN EXCLUSIVE MODE")  # nobody can note what was built
                catalog.rebuild()
                until(lambda: _waits_for_a_lock(database))
                database_server.stop(signal.SIGINT)
            time.sleep(AWAY_SECONDS)
            check_refused(service, image_id)
            database_server.start()
            _let_build(service, ports)
            assert check_end(service, image_id, film) == 5
            check_log(working)
            check_log(answering)


def _let_build(service: Service, ports: list[int]) -> None:
    """Make things stale until every worker has built one more."""
    before = [_builds(port) for port in ports]

    def all_have() -> bool:
        if all_fresh(service):
            with open_catalog(service.settings.catalog_url) as catalog:
                catalog.rebuild()
        return all(_builds(port) > some for port, some in zip(ports, before, strict=True))

    until(all_have, "not every worker builds")


def _builds(port: int) -> int:
    """Return how many artifacts a worker has built."""
    try:
        text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=10).text
    except httpx.TransportError:
        return 0
    return sum(int(float(number)) for number in re.findall(r"^coverslip_builds_total\{.*\} (\S+)$", text, re.MULTILINE))
