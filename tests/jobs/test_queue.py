"""The doorbell rings through a real server, and nobody waits when there is none."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import redis

from coverslip.errors import SettingsError
from coverslip.jobs.queue import NAMESPACE, QUEUE, URGENT_QUEUE, RedisQueue
from tests.services.valkey import serve_valkey

pytestmark = pytest.mark.service


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serve_valkey() as url:
        yield url


@pytest.fixture
def url(server: str) -> str:
    with redis.Redis.from_url(server) as client:
        client.flushall()
    return server


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


class Listener:
    """Answers messages in a thread and remembers them."""

    def __init__(self, queue: RedisQueue, fail: Callable[[str | None], bool] = lambda _: False) -> None:
        self.heard: Counter[str | None] = Counter()
        self._fail = fail
        self._stop = threading.Event()
        options = {"threads": 2, "should_stop": self._stop}
        self._thread = threading.Thread(target=queue.run, args=(self._hear,), kwargs=options)

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _hear(self, subject: str | None) -> None:
        self.heard[subject] += 1
        if self._fail(subject):
            raise RuntimeError("not now")


@pytest.fixture
def queue(url: str) -> Iterator[RedisQueue]:
    found = RedisQueue(url)
    yield found
    found.close()


def test_what_is_rung_is_heard(queue: RedisQueue) -> None:
    queue.ring("a")
    queue.ring(urgent=True)
    with Listener(queue) as listener:
        until(lambda: set(listener.heard) == {"a", None})
    assert queue.depth() == 0


def test_another_process_hears_it(queue: RedisQueue, url: str) -> None:
    other = RedisQueue(url)
    try:
        other.ring("a")
        with Listener(queue) as listener:
            until(lambda: listener.heard["a"] == 1)
    finally:
        other.close()


def test_messages_wait_for_a_listener(queue: RedisQueue, url: str) -> None:
    for subject in ("a", "b"):
        queue.ring(subject)
    queue.ring("c", urgent=True)
    until(lambda: queue.depth() == 3)
    with redis.Redis.from_url(url) as client:
        assert (client.llen(f"{NAMESPACE}:{QUEUE}"), client.llen(f"{NAMESPACE}:{URGENT_QUEUE}")) == (2, 1)


def test_a_handler_that_fails_is_tried_again(queue: RedisQueue) -> None:
    failures = iter([True, False])
    queue.ring("a")
    with Listener(queue, lambda _: next(failures, False)) as listener:
        until(lambda: listener.heard["a"] == 2)


def test_without_a_server_nobody_waits_and_nothing_is_lost_here() -> None:
    with serve_valkey() as gone:
        pass
    queue = RedisQueue(gone)
    for _ in range(3):
        queue.ring("a")
    assert queue.depth() is None
    queue.close()


def test_a_flood_becomes_one_message_about_anything(queue: RedisQueue, url: str) -> None:
    with redis.Redis.from_url(url) as client:
        client.client_pause(3_000)  # the server answers nobody meanwhile
    for number in range(5_000):
        queue.ring(str(number))
    with Listener(queue) as listener:
        until(lambda: listener.heard[None] >= 1)
        assert len(listener.heard) < 5_000


def test_no_address_of_redis_is_a_wrong_setting() -> None:
    with pytest.raises(SettingsError, match="queue_url"):
        RedisQueue("http://localhost")
