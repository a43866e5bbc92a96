"""Where images are, remembered exactly as long as nobody has committed anything."""

import sqlite3
from pathlib import Path

from coverslip.catalog.part import Part, known_form
from coverslip.errors import NotFoundError
from coverslip.model.records import ImagePlace

MOST = 4096
"""Places remembered at a time."""
_QUERY = """
SELECT image.id, image."index", asset.path, image.revision
FROM image JOIN asset ON asset.id = image.asset_id
WHERE image.id = ? AND image.deleted_at IS NULL
"""


class Places:
    """Looks images up in a SQLite catalog for a few microseconds each. For one thread at a time.

    ``PRAGMA data_version`` is another number whenever any other connection, of this process or of another one, has
    committed (https://sqlite.org/pragma.html#pragma_data_version). This connection never writes, so the same number
    means the same catalog, and nothing remembered is ever stale. Reading does not wait for writers.

    Parameters
    ----------
    path
        The file of the catalog.
    """

    def __init__(self, path: Path) -> None:
        self._connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA query_only=ON")
        self._known: dict[str, ImagePlace] = {}
        self._version = -1

    def refresh(self) -> int | None:
        """Forget what is not certain any more, and return the number of this state of the catalog.

        It is another number after any commit; ``None`` where the catalog does not answer at once.
        """
        try:
            version: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            self._known.clear()
            self._version = -1
            return None
        if version != self._version:
            self._known.clear()
            self._version = version
        return version

    def get(self, image_id: str) -> ImagePlace | None:
        """Return where an image was at the last ``refresh``, or later.

        ``None`` where it is not known at once: the catalog itself says why.
        """
        place = self._known.get(image_id)
        if place is None and self._version >= 0:
            place = self._find(image_id)
            if place is not None:
                if len(self._known) >= MOST:
                    self._known.clear()
                self._known[image_id] = place
        return place

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _find(self, image_id: str) -> ImagePlace | None:
        try:
            row = self._connection.execute(_QUERY, (known_form(image_id),)).fetchone()
        except (sqlite3.Error, NotFoundError):
            return None
        return None if row is None else ImagePlace(*row)


class QuickPlaces(Part):
    """Looking images up without waiting."""

    def places(self) -> Places | None:
        """Return a quick look-up, to be closed; ``None`` for PostgreSQL, where asking is a round trip anyway."""
        path = self._database.address.path
        return None if path is None else Places(path)
