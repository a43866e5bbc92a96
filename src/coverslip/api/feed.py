"""One look at the catalog's events for all who listen."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Protocol

from starlette.concurrency import run_in_threadpool

from coverslip.errors import CatalogError
from coverslip.model.records import Event

log = logging.getLogger(__name__)

BATCH = 500
KEPT = 1000
"""Events kept in memory; a listener further behind reads the catalog itself."""


class HasEvents(Protocol):
    """What the feed needs of the catalog."""

    def events_after(self, seq: int, limit: int = 500) -> Sequence[Event]:
        """Return the events that follow, oldest first."""
        ...

    def last_event(self) -> int:
        """Return the number of the newest event, 0 when there is none."""
        ...


class EventFeed:
    """Events in order, without a gap, to any number of listeners; the catalog is polled once for all of them.

    Parameters
    ----------
    catalog
        Where the events are.
    every_seconds
        Time between two looks. Nobody looks while nobody listens.
    """

    def __init__(self, catalog: HasEvents, every_seconds: float = 0.5) -> None:
        self._catalog = catalog
        self._every = every_seconds
        self._recent: deque[Event] = deque(maxlen=KEPT)
        self._last: int | None = None
        self._listeners = 0
        self._news = asyncio.Event()
        self._wanted = asyncio.Event()
        self._closed = False

    async def run(self) -> None:
        """Look for news until cancelled."""
        while True:
            await self._wanted.wait()
            try:
                await self._look()
            except CatalogError as error:
                log.warning("no events for now: %s", error)
            await asyncio.sleep(self._every)

    async def follow(self, after: int, *, on_gap: Callable[[int], Event]) -> AsyncGenerator[Event]:
        """Yield every event after the given one, then wait for more, until the feed is closed.

        Parameters
        ----------
        after
            The last event the listener has seen.
        on_gap
            Makes the event that tells the listener that some are gone for good, given the number to go on from.

        Raises
        ------
        CatalogError
            The catalog does not answer.
        """
        newest = await run_in_threadpool(self._catalog.last_event)
        cursor = after
        self._join(newest)
        try:
            if cursor > newest:
                yield on_gap(newest)
                cursor = newest
            while not self._closed:
                news = self._news
                batch = await self._after(cursor)
                if batch and batch[0].seq > cursor + 1:
                    # also in mid-stream: one transaction may write more events than the catalog keeps
                    cursor = await run_in_threadpool(self._catalog.last_event)
                    yield on_gap(cursor)
                    continue
                for event in batch:
                    yield event
                    cursor = event.seq
                if not batch:
                    await news.wait()
        finally:
            self._leave()

    def close(self) -> None:
        """End every listener's stream."""
        self._closed = True
        self._tell()

    async def _look(self) -> None:
        assert self._last is not None, "nobody has joined"
        found = await run_in_threadpool(self._catalog.events_after, self._last, BATCH)
        if found:
            if found[0].seq > self._last + 1:
                self._recent.clear()  # what is kept in memory has no gaps
            self._recent.extend(found)
            self._last = found[-1].seq
            self._tell()

    async def _after(self, cursor: int) -> Sequence[Event]:
        """Return what follows, from memory where it reaches back far enough."""
        if cursor == self._last:
            return ()
        if self._recent and self._recent[0].seq <= cursor + 1:
            return [event for event in self._recent if event.seq > cursor]
        return await run_in_threadpool(self._catalog.events_after, cursor, BATCH)

    def _join(self, newest: int) -> None:
        if self._listeners == 0:
            # nobody looked meanwhile: what is kept may not reach up to now
            self._recent.clear()
            self._last = newest
        self._listeners += 1
        self._wanted.set()

    def _leave(self) -> None:
        self._listeners -= 1
        if self._listeners == 0:
            self._wanted.clear()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()
