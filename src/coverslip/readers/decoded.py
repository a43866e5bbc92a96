"""What was decoded a moment ago, kept while it is small enough: the next tile often lies in the same block."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

MOST_BYTES = 64 << 20
"""Bytes one open file may keep."""


class Decoded[T]:
    """The values used last, up to a number of bytes. Safe from any number of threads.

    Parameters
    ----------
    most
        Bytes that are kept; a larger value never is.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = most
        self._held = 0
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """Return a value that is still kept, or ``None``."""
        with self._lock:
            found = self._values.get(key)
            if found is None:
                return None
            self._values.move_to_end(key)
            return found[0]

    def keep(self, key: Hashable, value: T, size: int) -> None:
        """Keep a value of so many bytes, and let go of those that were not used for longest."""
        if size > self._most:
            return
        with self._lock:
            _, before = self._values.pop(key, (None, 0))
            self._values[key] = value, size
            self._held += size - before
            while self._held > self._most:
                self._held -= self._values.popitem(last=False)[1][1]

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._values.clear()
            self._held = 0
