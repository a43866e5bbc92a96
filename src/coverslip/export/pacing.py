"""How many items may begin in a second, for shares that others use too."""

import threading
import time
from collections.abc import Callable


class Pace:
    """Lets items begin one after the other, so many in a second at most. Safe from several threads.

    Parameters
    ----------
    per_second
        How many; ``None`` is no limit.
    """

    def __init__(self, per_second: float | None) -> None:
        self._gap = 0.0 if per_second is None else 1 / per_second
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def wait(self, should_stop: Callable[[], bool]) -> None:
        """Return when the next item may begin, or when somebody wants to stop."""
        if not self._gap:
            return
        with self._lock:
            now = time.monotonic()
            at = max(now, self._next)
            self._next = at + self._gap
        while (left := at - time.monotonic()) > 0 and not should_stop():
            time.sleep(min(0.1, left))
