"""Where uploaded originals lie, the marks that make uploading and purging them finishable, and their sweep."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from coverslip.catalog import Catalog
from coverslip.errors import CatalogError
from coverslip.storage import abandoned, hold

log = logging.getLogger(__name__)

ABANDONED_SECONDS = 3600.0
"""Where files cannot be locked: without a sign of life for so long they belong to a process that was killed."""

ODD_NAMES = "surrogateescape"
"""Folder names need not be UTF-8."""


@dataclass(frozen=True, slots=True)
class Original:
    """The places one upload takes on its way.

    ``<id>.part`` grows while bytes arrive; ``<id>/<name>`` is the published original; ``<id>.pending`` holds the
    address of the catalog and lies there while the catalog may not know the original: from before it is published
    until it is cataloged, and from before its record is purged until it is removed. Who works on a part or a mark
    holds it locked. A folder without a mark is never swept, whatever the catalog of the day says.
    """

    folder: Path
    id: str

    @property
    def part(self) -> Path:
        """What has arrived so far."""
        return self.folder / f"{self.id}.part"

    @property
    def mark(self) -> Path:
        """Says that the catalog may not know the original."""
        return self.folder / f"{self.id}.pending"

    @property
    def home(self) -> Path:
        """Folder of the published original."""
        return self.folder / self.id

    @contextmanager
    def marked(self, catalog: Catalog) -> Iterator[None]:
        """Put the mark, on disk, and hold it for the time of a ``with`` statement; only ``settle`` takes it away.

        Raises
        ------
        OSError
            The mark cannot be written.
        """
        with hold(self.mark, f"{catalog.url}\n{self.home}".encode(errors=ODD_NAMES)):
            yield

    def settle(self, catalog: Catalog, *places: str) -> int:
        """Remove an original that the catalog does not know, and the mark; return how many files went.

        Parameters
        ----------
        catalog
            Decides.
        places
            Other spellings of the home under which the catalog may know it.

        Raises
        ------
        CatalogError
            The catalog does not answer: nothing was removed.
        OSError
            Something cannot be removed: the mark stays.
        """
        if any(catalog.assets_under(place) for place in (str(self.home), *places)):
            self.mark.unlink(missing_ok=True)
            return 0
        return self.remove()

    def remove(self) -> int:
        """Remove the published original, its folder and the mark, in this order; return how many files went."""
        removed = 0
        if self.home.is_dir() and not self.home.is_symlink():
            for path in self.home.iterdir():
                path.unlink(missing_ok=True)
                removed += 1
            self.home.rmdir()
        self.mark.unlink(missing_ok=True)
        return removed


def sweep_uploads(catalog: Catalog, folder: Path, *, after_seconds: float = ABANDONED_SECONDS) -> int:
    """Remove what killed processes left of uploads, and return how many files that were.

    An original goes only when it carries the mark of this very catalog and the catalog does not know it. What
    somebody works on, and what cannot be decided or removed now, is left for another time.

    Parameters
    ----------
    catalog
        Knows the originals.
    folder
        Of uploads.
    after_seconds
        When a file counts as abandoned where files cannot be locked.
    """
    removed = 0
    for path in sorted(folder.glob("*.part")) + sorted(folder.glob("*.pending")):
        try:
            with abandoned(path, after_seconds) as is_free:
                if is_free:
                    removed += _sweep_one(catalog, path)
        except FileNotFoundError:
            continue
        except (CatalogError, OSError) as error:
            log.warning("%s is left for another time: %s", path, error)
    return removed


def _sweep_one(catalog: Catalog, path: Path) -> int:
    if path.suffix == ".part":
        path.unlink()
        return 1
    address, _, place = path.read_bytes().decode(errors=ODD_NAMES).partition("\n")
    if not address:
        path.unlink()  # killed before the mark was written, and so before anything else was done
    elif address == catalog.url:
        return Original(path.parent, path.stem).settle(catalog, *filter(None, [place]))
    return 0
