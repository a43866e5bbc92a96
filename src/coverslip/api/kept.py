"""Encoded pictures, the ones kept in memory, and what a client has already."""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import anyio
from anyio.to_thread import run_sync

KEPT_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture and the ETag it is served with; ``data`` is ``None`` when the client has it already."""

    etag: str
    media_type: str
    data: bytes | None
    is_stale: bool = False
    """Whether its sources have changed since."""


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


def is_known(etag: str, known: str | None) -> bool:
    """Return whether an ``If-None-Match`` header names the ETag (weak comparison, RFC 9110, 13.1.2)."""
    if known is None:
        return False
    return known.strip() == "*" or etag in re.findall(r'"[^"]*"', known)


async def in_thread[T](make: Callable[[], T]) -> T:
    """Return ``make()``, run in a thread that no other request needs; whoever calls has had a turn."""
    return await run_sync(make, limiter=anyio.CapacityLimiter(1))
