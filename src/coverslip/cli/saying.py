"""What a command that runs for weeks says to its log: each trouble once in a while, not at every attempt."""

import logging
import time
from collections.abc import Callable

PAUSE_SECONDS = 60.0
MOST_KEPT = 1000


class NotAgain(logging.Filter):
    """Lets the same warning through once a minute.

    While a database is away, every builder, request and listener meets it several times a second.

    Parameters
    ----------
    clock
        Tells seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._said: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is to be shown."""
        if record.levelno < logging.WARNING:
            return True
        now = self._clock()
        error = record.exc_info[1] if record.exc_info else None
        line = f"{record.getMessage()} {error!r}"
        if now - self._said.get(line, -PAUSE_SECONDS) < PAUSE_SECONDS:
            return False
        if len(self._said) >= MOST_KEPT:
            self._said = {said: at for said, at in self._said.items() if now - at < PAUSE_SECONDS}
        if len(self._said) < MOST_KEPT:
            self._said[line] = now
        return True
