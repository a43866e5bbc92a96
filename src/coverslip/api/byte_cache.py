"""Bytes kept in memory up to a limit."""

import threading
from collections import OrderedDict

KEPT_BYTES = 64 << 20


class ByteCache:
    """The most recently used encoded pictures, bounded by their total size. Safe from any number of threads."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self.size = 0

    def get(self, key: str) -> bytes | None:
        """Return the bytes under a key, or ``None``."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: str, data: bytes) -> None:
        """Keep bytes, letting go of those not used for longest."""
        with self._lock:
            self.size += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self.size > self._limit:
                self.size -= len(self._kept.popitem(last=False)[1])
