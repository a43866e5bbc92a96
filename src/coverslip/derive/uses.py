"""Which artifacts were used lately: kept in memory, written to the catalog now and then."""

import threading

from coverslip.catalog import Catalog


class Uses:
    """Artifacts that were used since somebody last wrote it down. Safe from any number of threads.

    Parameters
    ----------
    catalog
        Where uses are written.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._lock = threading.Lock()
        self._ids: set[str] = set()

    def note(self, artifact_id: str) -> None:
        """Note a use, in memory."""
        with self._lock:
            self._ids.add(artifact_id)

    def write(self) -> None:
        """Write the uses since the last time to the catalog; those that it refuses are written with the next.

        Raises
        ------
        CatalogError
            The catalog does not answer.
        """
        with self._lock:
            ids, self._ids = self._ids, set()
        try:
            self._catalog.note_uses(ids)
        except BaseException:
            with self._lock:
                self._ids |= ids
            raise
