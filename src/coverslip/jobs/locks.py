"""One lock per name, for as long as somebody wants it."""

import threading
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class KeyedLocks:
    """Locks that exist while they are held or waited for, so that any number of names costs nothing."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[Hashable, tuple[threading.Lock, int]] = {}

    def __len__(self) -> int:
        return len(self._locks)

    @contextmanager
    def hold(self, key: Hashable, seconds: float) -> Iterator[bool]:
        """Give whether the name's lock was had in time; it is let go at the end of the ``with`` block.

        Parameters
        ----------
        key
            The name.
        seconds
            How long to wait at most.
        """
        with self._guard:
            lock, users = self._locks.get(key, (threading.Lock(), 0))
            self._locks[key] = (lock, users + 1)
        held = False
        try:
            held = lock.acquire(timeout=max(0.0, seconds))
            yield held
        finally:
            if held:
                lock.release()
            with self._guard:
                users = self._locks.pop(key)[1] - 1
                if users:
                    self._locks[key] = (lock, users)
