"""Making deletions final: the one place where bytes are removed for good, and only bytes that are ours."""

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from coverslip.catalog import Catalog
from coverslip.model.records import ImageRecord
from coverslip.storage import Storage


def plan_purge(catalog: Catalog, *, older_than_days: float) -> list[ImageRecord]:
    """Return the images that were deleted longer ago than this, without touching them."""
    return catalog.purgeable(datetime.now(UTC) - timedelta(days=older_than_days))


def purge(catalog: Catalog, storage: Storage, uploads_folder: Path, plan: Sequence[ImageRecord]) -> int:
    """Remove deleted images for good and return how many files went.

    The catalog's rows go first, in one transaction: a process killed after that leaves bytes that nothing refers
    to, never a record without its bytes. A file added in place is never touched; an uploaded original goes with
    the folder that was made for it; an artifact goes when no other image refers to the same content.

    Raises
    ------
    CatalogError
        The catalog refused; nothing was removed.
    StorageError
        An artifact could not be removed.
    """
    removed = 0
    for gone in catalog.purge_images([image.id for image in plan]):
        if gone.path is not None:
            removed += _remove_upload(Path(gone.path), uploads_folder)
        for key in gone.artifact_keys:
            storage.delete(key)
            removed += 1
    return removed


def _remove_upload(path: Path, uploads_folder: Path) -> int:
    """Remove an uploaded original and its folder, and nothing that is not below the uploads folder."""
    home = uploads_folder.resolve()
    if home not in path.resolve().parents or path.parent.resolve() == home:
        return 0
    shutil.rmtree(path.parent, ignore_errors=True)
    return 1
