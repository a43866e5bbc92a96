"""Who reads an open file at the moment, and whether it is still open."""

import threading
from types import TracebackType
from typing import Self


class Turns:
    """Entered for every read of one file; ended once, when nobody reads any more.

    Parameters
    ----------
    is_concurrent
        Whether reads may go on at the same time. Otherwise they follow one another, because most format libraries
        return wrong pixels silently when one handle is used by two threads at once.
    """

    def __init__(self, *, is_concurrent: bool) -> None:
        self.is_concurrent = is_concurrent
        self.is_over = False
        self._lock = threading.RLock()
        self._nobody_reads = threading.Condition(self._lock)
        self._reading = 0

    def __enter__(self) -> Self:
        self._lock.acquire()
        self._reading += 1
        if self.is_concurrent:
            self._lock.release()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.is_concurrent:
            self._lock.acquire()
        self._reading -= 1
        if self.is_over and not self._reading:
            self._nobody_reads.notify_all()
        self._lock.release()

    def end(self) -> bool:
        """Let no further read begin, wait for those under way; return whether this was the first call."""
        with self._nobody_reads:
            is_first, self.is_over = not self.is_over, True
            self._nobody_reads.wait_for(lambda: not self._reading)
            return is_first
