"""Work beside the kernel's own thread, and the way back to it."""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger(__name__)


class Hop:
    """Has things done in the thread whose event loop runs when it is made: the kernel's. Without a loop, at once.

    Messages to a page must not be sent by several threads at a time, and values that a page sees must not change while
    they are sent; so threads post what is to be done, and the loop does it in that order.
    """

    def __init__(self) -> None:
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.RLock()

    def post(self, call: Callable[[], None]) -> None:
        """Have something done soon; from any thread."""
        self._waiting.append(call)
        if self._loop is None or self._loop.is_closed():
            self.drain()
        else:
            self._loop.call_soon_threadsafe(self.drain)

    def drain(self) -> None:
        """Do what waits. For somebody who waits in the thread of the loop, which then cannot do it."""
        with self._lock:
            while self._waiting:
                self._waiting.popleft()()


class Desk:
    """Does work in a few threads; of one topic one piece at a time, and of those that wait the newest only.

    Parameters
    ----------
    name
        Of the threads.
    workers
        How many.
    """

    def __init__(self, name: str, workers: int = 2) -> None:
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix=name)
        self._change = threading.Condition()
        self._newest: dict[str, Callable[[], None]] = {}
        self._busy: set[str] = set()
        self._is_closed = False

    def do(self, topic: str, work: Callable[[], None]) -> None:
        """Have work done; what waits under the same topic is forgotten."""
        with self._change:
            if self._is_closed:
                return
            self._newest[topic] = work
            if topic in self._busy:
                return
            self._busy.add(topic)
        self._pool.submit(self._run, topic)

    def is_outdated(self, topic: str) -> bool:
        """Return whether newer work waits, so that what is under way under this topic need not be finished."""
        return self._is_closed or topic in self._newest

    def wait(self, timeout: float, topic: str | None = None, *, meanwhile: Callable[[], None] = lambda: None) -> bool:
        """Wait until nothing is under way, at most so many seconds; return whether that is so.

        Parameters
        ----------
        timeout
            In seconds.
        topic
            Only this one; ``None`` is all.
        meanwhile
            Called again and again.
        """
        until = time.monotonic() + timeout
        while True:
            meanwhile()
            with self._change:
                is_busy = bool(self._busy) if topic is None else topic in self._busy
                left = until - time.monotonic()
                if not is_busy or left <= 0:
                    return not is_busy
                self._change.wait(min(left, 0.05))

    def close(self) -> None:
        """Forget what waits, and end the threads when they are done with what is under way."""
        with self._change:
            self._is_closed = True
            self._newest.clear()
        self._pool.shutdown(wait=False)

    def _run(self, topic: str) -> None:
        while True:
            with self._change:
                work = self._newest.pop(topic, None)
                if work is None:
                    self._busy.discard(topic)
                    self._change.notify_all()
                    return
            try:
                work()
            except Exception:  # the edge of a thread: the next piece of work may fare better
                log.exception("%s failed", topic)
