"""Whether catalog and storage can be written, without writing at every question."""

import threading
import time
from collections.abc import Callable

from coverslip.catalog import Catalog
from coverslip.storage import Storage

BELIEVED_SECONDS = 10.0


class Checks:
    """Checks that write, and are believed for a while when they went well. Safe from any number of threads.

    Who watches a server asks every few seconds; in SQLite each check would keep the one writer waiting.

    Parameters
    ----------
    catalog, storage
        What is checked.
    clock
        Seconds that only grow.
    """

    def __init__(self, catalog: Catalog, storage: Storage, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._catalog = catalog
        self._storage = storage
        self._clock = clock
        self._lock = threading.Lock()
        self._good_until: dict[str, float] = {}

    def catalog(self) -> None:
        """Return when the catalog can be written.

        Raises
        ------
        CatalogError
            It cannot, and why.
        """
        self._check("catalog", self._catalog.check)

    def storage(self) -> None:
        """Return when the storage can be written.

        Raises
        ------
        StorageError
            It cannot, and why.
        """
        self._check("storage", self._storage.check)

    def _check(self, name: str, check: Callable[[], None]) -> None:
        with self._lock:
            if self._good_until.get(name, 0.0) > self._clock():
                return
        check()
        with self._lock:
            self._good_until[name] = self._clock() + BELIEVED_SECONDS
