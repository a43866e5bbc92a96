"""A sign of life while work is under way."""

import logging
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from coverslip.errors import CoverslipError

log = logging.getLogger(__name__)


class Heartbeat:
    """Renews a claim from a thread of its own for as long as the ``with`` block runs.

    Parameters
    ----------
    name
        Of what is being held; names the thread.
    beat
        Renews the lease; ``False`` means somebody else holds the claim now. A ``CoverslipError`` means nobody
        knows, so the next beat tries again: the lease is long enough for more than one.
    every_seconds
        Time between two beats; a third of the lease.
    first_seconds
        Time to the first beat; ``None`` is as to the others.
    """

    def __init__(
        self, name: str, beat: Callable[[], bool], every_seconds: float, first_seconds: float | None = None
    ) -> None:
        self._beat = beat
        self._every = every_seconds
        self._first = every_seconds if first_seconds is None else first_seconds
        self._done = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"heartbeat {name}", daemon=True)

    @property
    def lost(self) -> bool:
        """Whether the claim belongs to somebody else by now: the result of the work must be dropped."""
        return self._lost.is_set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        seconds = self._first
        while not self._done.wait(seconds):
            seconds = self._every
            try:
                if not self._beat():
                    self._lost.set()
                    return
            except CoverslipError as error:
                log.warning("a lease could not be renewed now: %s", error)
