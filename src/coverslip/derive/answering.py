"""Answering the queue: a message says where to look, the catalog says what to build."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from coverslip.catalog import Catalog
from coverslip.derive.batch import process_batch
from coverslip.derive.builder import Builder
from coverslip.derive.telling import Telling
from coverslip.errors import CatalogError, NotFoundError
from coverslip.jobs.queue import RedisQueue

log = logging.getLogger(__name__)

BATCH = 10
"""Artifacts of one image that are built before the log hears of it."""


@contextmanager
def ringing(catalog: Catalog, queue_url: str) -> Iterator[RedisQueue | None]:
    """Ring the queue of the settings, where there is one, whenever this process has made something stale.

    Raises
    ------
    MissingDependencyError
        dramatiq is not installed.
    SettingsError
        This is no address of a Redis server.
    """
    if not queue_url:
        yield None
        return
    queue = RedisQueue(queue_url)

    def ring(image_ids: frozenset[str]) -> None:
        for image_id in sorted(image_ids):
            queue.ring(image_id or None)

    catalog.when_marked(ring)
    try:
        yield queue
    finally:
        catalog.when_marked(None)
        queue.close()


def answer(builder: Builder, image_id: str | None, should_stop: threading.Event) -> None:
    """Build what is stale of an image, the earliest frame first; or, for ``None``, whatever is stale.

    Raises
    ------
    CatalogError
        The catalog does not answer: the message is to come again.
    """
    if image_id is None:
        _build_all(builder, should_stop)
        return
    try:
        is_going_on = True
        while is_going_on and not should_stop.is_set():
            batch = process_batch(builder, image_id, BATCH, should_stop=should_stop.is_set)
            is_going_on = batch.remaining > 0 and batch.processed + batch.failed > 0
    except NotFoundError:
        log.debug("image %s is gone: nothing to build", image_id)


def _build_all(builder: Builder, should_stop: threading.Event) -> None:
    telling = Telling(log)
    try:
        while not should_stop.is_set():
            began = time.monotonic()
            outcomes = builder.build_some(should_stop=should_stop.is_set)
            telling.note(outcomes, began)
            if not outcomes:
                return
    finally:
        telling.close()


def poll(builder: Builder, interval: float, should_stop: threading.Event) -> None:
    """Build whatever is stale every so often: what the queue has lost, and what failed before."""
    while not should_stop.is_set():
        try:
            answer(builder, None, should_stop)
        except CatalogError as error:
            log.warning("nothing is built now: %s", error)
        except Exception:  # one bad step must not end the looking: nobody would find what the queue has lost
            log.exception("a step of the queue worker failed")
        should_stop.wait(interval)


def answer_queue(
    builder: Builder, queue: RedisQueue, *, threads: int, interval: float, should_stop: threading.Event
) -> None:
    """Answer messages, and look by itself every so often, until ``should_stop`` is set.

    Parameters
    ----------
    builder
        Builds.
    queue
        Brings messages.
    threads
        Messages answered at the same time.
    interval
        Seconds between two looks at the catalog without a message.
    should_stop
        Ends it.
    """
    poller = threading.Thread(target=poll, args=(builder, interval, should_stop), name="poll")
    poller.start()
    try:
        queue.run(lambda image_id: answer(builder, image_id, should_stop), threads=threads, should_stop=should_stop)
    finally:
        should_stop.set()
        poller.join()
