import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.api.checks import eventually
from tests.api.conftest import Service
from tests.api.tiffs import write_stack

Message = dict[str, str]

SERVER = """
import sys, uvicorn
from pathlib import Path
from coverslip.api import create_app
from coverslip.settings import Settings
settings = Settings.load(home=Path(sys.argv[1]), port=int(sys.argv[2]))
uvicorn.run(create_app(settings), host="127.0.0.1", port=settings.port, log_level="warning")
"""


@contextmanager
def listening(address: str, last: int | None = None) -> Iterator[Iterator[Message]]:
    """Open the stream of events and give its messages, comments left out."""
    headers = {} if last is None else {"last-event-id": str(last)}
    timeout = httpx.Timeout(10)
    with httpx.stream("GET", f"{address}/api/events", headers=headers, timeout=timeout) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        assert next(lines) == ": listening"
        yield messages(lines)


def messages(lines: Iterator[str]) -> Iterator[Message]:
    message: Message = {}
    for line in lines:
        if line and not line.startswith((":", "retry:")):
            key, _, value = line.partition(": ")
            message[key] = value
        elif not line and message:
            yield message
            message = {}


def take(stream: Iterator[Message], count: int) -> list[Message]:
    return [next(stream) for _ in range(count)]


def test_events_come_in_order(service: Service, stack_file: Path) -> None:
    with listening(service.address) as stream:
        image_id = service.upload(stack_file).json()["id"]
        service.client.get(f"/api/images/{image_id}/thumbnail")
        service.client.delete(f"/api/images/{image_id}")
        service.client.post(f"/api/images/{image_id}/restore")
        heard = take(stream, 4)
    types = [message["event"] for message in heard]
    assert types == ["image.added", "artifact.built", "image.deleted", "image.restored"]
    numbers = [int(message["id"]) for message in heard]
    assert numbers == sorted(numbers)
    assert {json.loads(message["data"])["image_id"] for message in heard} == {image_id}


def test_who_comes_back_hears_what_was_missed(service: Service, tmp_path: Path) -> None:
    ids = [service.upload(write_stack(tmp_path / f"{n}.ome.tif", n)).json()["id"] for n in range(4)]
    with listening(service.address, last=1) as stream:
        heard = take(stream, 3)
        assert [json.loads(message["data"])["image_id"] for message in heard] == ids[1:]
        assert [message["id"] for message in heard] == ["2", "3", "4"]
        service.client.delete(f"/api/images/{ids[0]}")
        assert next(stream)["event"] == "image.deleted"


def test_a_number_from_another_catalog_is_answered_with_a_reset(service: Service, stack_file: Path) -> None:
    service.upload(stack_file)
    with listening(service.address, last=1000) as stream:
        message = next(stream)
    assert message["event"] == "reset"
    assert message["id"] == "1"


@pytest.mark.parametrize("number", ["abc", "-4", "1" * 40, "٣"])
def test_a_number_that_is_none_counts_as_none(service: Service, stack_file: Path, number: str) -> None:
    service.upload(stack_file)
    headers = {"last-event-id": number.encode()}
    with httpx.stream("GET", f"{service.address}/api/events", headers=headers, timeout=10) as answer:  # type: ignore[arg-type]
        assert answer.status_code == 200
        lines = answer.iter_lines()
        next(lines)
        image_id = service.client.get("/api/images/").json()["images"][0]["id"]
        service.client.delete(f"/api/images/{image_id}")
        assert next(messages(lines))["event"] == "image.deleted"


def test_many_listeners_and_those_who_leave(service: Service, stack_file: Path) -> None:
    for _ in range(20):
        with listening(service.address):
            pass
    with listening(service.address) as first, listening(service.address) as second:
        service.upload(stack_file)
        assert next(first) == next(second)


def test_the_server_stops_while_somebody_listens(tmp_path: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-c", SERVER, str(tmp_path / "home"), str(port)], env={**os.environ})
    try:
        address = f"http://127.0.0.1:{port}"
        assert eventually(lambda: httpx.get(f"{address}/api/health").status_code == 200, 30)
        with listening(address) as stream:
            process.send_signal(signal.SIGTERM)
            assert list(stream) == []
            assert process.wait(timeout=20) in (0, -signal.SIGTERM)
    finally:
        process.kill()
        process.wait()
