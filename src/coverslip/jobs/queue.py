"""A Redis task queue as a doorbell: a message only says "look at the table". One that is lost costs time, no work."""

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from coverslip.errors import MissingDependencyError, SettingsError

if TYPE_CHECKING:
    from dramatiq import Actor
    from dramatiq.brokers.redis import RedisBroker

log = logging.getLogger(__name__)

NAMESPACE = "coverslip"
QUEUE = "build"
URGENT_QUEUE = "build-now"
PRIORITIES = {URGENT_QUEUE: 0, QUEUE: 10}
"""Smaller comes first."""
CONNECT_SECONDS = 2.0
ANSWER_SECONDS = 5.0
RETRIES = 5
FIRST_RETRY_MS = 1_000
LONGEST_RETRY_MS = 60_000
PAUSE_SECONDS = 5.0
"""How long nobody tries to ring after Redis did not answer."""
MOST_WAITING = 1_000
"""Subjects that wait for Redis to come back. More need no message each: one about nothing in particular does."""
ANYTHING = ""
"""Subject of a message that is about no image in particular."""


class RedisQueue:
    """Messages about images of which something is stale, passed on by dramatiq through Redis or Valkey.

    Ringing never waits for Redis: a thread of its own passes the messages on, each subject once however often it was
    rung meanwhile. Messages arrive at least once; a handler that fails is tried again later and later.

    Parameters
    ----------
    url
        Such as ``redis://localhost:6379/0`` or ``unix:///run/redis.sock``.

    Raises
    ------
    MissingDependencyError
        dramatiq is not installed: ``pip install "coverslip[queue]"``.
    SettingsError
        This is no address of a Redis server.
    """

    def __init__(self, url: str) -> None:
        self._broker = _connect(url)
        self._actors = {name: self._declare(name) for name in PRIORITIES}
        self._handle: Callable[[str | None], None] | None = None
        self._waiting: dict[tuple[str, str], None] = {}
        self._changed = threading.Condition()
        self._is_closed = False
        self._bell = threading.Thread(target=self._pass_on, name="doorbell", daemon=True)
        self._bell.start()

    def ring(self, image_id: str | None = None, *, urgent: bool = False) -> None:
        """Say that something of an image is stale, or of some image. Returns at once, whatever Redis does."""
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                image_id = None
            self._waiting[URGENT_QUEUE if urgent else QUEUE, image_id or ANYTHING] = None
            self._changed.notify()

    def run(self, handle: Callable[[str | None], None], *, threads: int, should_stop: threading.Event) -> None:
        """Answer messages until ``should_stop`` is set and the handlers under way have returned.

        Parameters
        ----------
        handle
            Told an image, or ``None`` for any; called from several threads. What it raises makes the message come
            again later.
        threads
            Messages answered at the same time.
        should_stop
            Ends it.
        """
        from dramatiq import Worker  # noqa: PLC0415  # optional, and slow to import

        self._handle = handle
        worker = Worker(self._broker, worker_threads=threads)
        worker.start()
        try:
            should_stop.wait()
        finally:
            worker.stop()

    def depth(self) -> int | None:
        """Return how many messages wait in Redis; ``None`` where it does not answer."""
        import redis  # noqa: PLC0415  # comes with the optional dramatiq

        try:
            return sum(self._broker.client.llen(f"{NAMESPACE}:{name}") for name in PRIORITIES)
        except redis.RedisError:
            return None

    def close(self) -> None:
        """Pass on what waits, once, and let go of the connection."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._bell.join(CONNECT_SECONDS + ANSWER_SECONDS)
        self._broker.close()

    def _declare(self, name: str) -> "Actor[[str], None]":
        from dramatiq import actor  # noqa: PLC0415  # optional, and slow to import

        declare = actor(
            broker=self._broker,
            actor_name=name,
            queue_name=name,
            priority=PRIORITIES[name],
            max_retries=RETRIES,
            min_backoff=FIRST_RETRY_MS,
            max_backoff=LONGEST_RETRY_MS,
        )
        return declare(self._answer)

    def _answer(self, image_id: str) -> None:
        if self._handle is not None:
            self._handle(image_id or None)

    def _pass_on(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closed)
                batch, self._waiting = self._waiting, {}
                is_last = self._is_closed
            unsent = self._send(batch)
            if is_last:
                return
            if unsent:
                with self._changed:
                    self._waiting = unsent | self._waiting
                    self._changed.wait_for(lambda: self._is_closed, PAUSE_SECONDS)

    def _send(self, batch: dict[tuple[str, str], None]) -> dict[tuple[str, str], None]:
        """Return what could not be passed on."""
        import redis  # noqa: PLC0415  # comes with the optional dramatiq

        for number, (name, subject) in enumerate(batch):
            try:
                self._actors[name].send(subject)
            except redis.RedisError as error:
                log.warning("the queue does not answer (%s); workers find by themselves what is stale", error)
                return dict(list(batch.items())[number:])
        return {}


def _connect(url: str) -> "RedisBroker":
    try:
        import redis  # noqa: PLC0415  # comes with the optional dramatiq
        from dramatiq.brokers.redis import RedisBroker  # noqa: PLC0415  # optional, and slow to import
        from dramatiq.middleware import Retries, ShutdownNotifications  # noqa: PLC0415  # the same
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            'a queue in Redis needs the package dramatiq: pip install "coverslip[queue]"', "dramatiq"
        ) from error
    try:
        client = redis.Redis.from_url(url, socket_connect_timeout=CONNECT_SECONDS, socket_timeout=ANSWER_SECONDS)
    except ValueError as error:
        raise SettingsError(f"queue_url: {url!r} is no address of a Redis server: {error}") from error
    # no time limit of its own: claims have leases, and a long build is no fault
    middleware = [Retries(), ShutdownNotifications()]
    return RedisBroker(client=client, namespace=NAMESPACE, middleware=middleware)  # type: ignore[no-untyped-call]
