"""Making deletions final: the one place where bytes are removed for good, and only bytes that are ours."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from itertools import batched
from pathlib import Path

from coverslip.catalog import Catalog
from coverslip.cleanup.uploads import Original
from coverslip.errors import CatalogError, StorageError
from coverslip.model.records import ImageRecord
from coverslip.storage import Storage, StoredObject, is_content_key

BATCH = 100
"""Images purged in one transaction: every upload among them costs an open file meanwhile."""
GRACE_SECONDS = 24 * 3600.0
"""An artifact is in the storage before a record refers to it: younger ones are left alone."""
MOST_FAILURES = 10
"""So many in a row, and the storage is not asked any more: it may need half a minute to refuse each time."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What a cleaning came to."""

    files: int = 0
    """Files and artifacts that are gone."""
    problems: tuple[str, ...] = ()
    """What could not be removed, and why. The next ``purge`` tries again."""

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(self.files + other.files, self.problems + other.problems)


def plan_purge(catalog: Catalog, *, older_than_days: float) -> list[ImageRecord]:
    """Return the images that were deleted longer ago than this, without touching them."""
    return catalog.purgeable(catalog.now() - timedelta(days=older_than_days))


def purge(catalog: Catalog, storage: Storage, uploads_folder: Path, plan: Sequence[ImageRecord]) -> Removed:
    """Remove deleted images for good.

    The catalog's rows go first, so that there is never a record without its bytes. What a killed purge leaves can be
    found: an uploaded original carries a mark from before its row goes, which ``sweep_uploads`` understands, and
    artifacts without a record are what ``plan_sweep`` lists. A file added in place is never touched.

    Raises
    ------
    CatalogError
        The catalog refused; of the images it had not come to, nothing was removed.
    StorageError
        The uploads folder cannot be written; as above.
    """
    removed = Removed()
    for images in batched(plan, BATCH):
        removed += _purge_batch(catalog, storage, uploads_folder, images)
    return removed


def plan_sweep(catalog: Catalog, storage: Storage, *, older_than_seconds: float = GRACE_SECONDS) -> list[StoredObject]:
    """Return the artifacts that no record refers to, without touching them: those of earlier contents above all.

    Only names that our artifacts have are looked at, so a folder that is used for something else too stays as it is.

    Raises
    ------
    StorageError
        The storage cannot be listed as a whole.
    """
    before = catalog.now() - timedelta(seconds=older_than_seconds)
    old = [item for item in storage.list() if item.modified <= before and is_content_key(item.key)]
    used = catalog.artifact_keys()  # after the listing: what was published meanwhile is used
    return [item for item in old if item.key not in used]


def sweep_artifacts(storage: Storage, plan: Iterable[StoredObject]) -> Removed:
    """Remove artifacts that no record refers to.

    A builder may publish the same content at this very moment and find it in the storage; then the artifact is gone
    afterwards, which the first look at it notices, and it is built again.
    """
    return _remove_artifacts(storage, [item.key for item in plan])


def _purge_batch(catalog: Catalog, storage: Storage, uploads_folder: Path, images: Sequence[ImageRecord]) -> Removed:
    homes = {Path(image.path).parent for image in images if image.origin == "uploaded"}
    originals = [Original(home.parent, home.name) for home in sorted(homes) if _is_ours(home, uploads_folder)]
    with ExitStack() as marks:
        _mark(catalog, originals, marks)
        gone = catalog.purge_images([image.id for image in images])
        removed = _remove_artifacts(storage, [key for one in gone for key in one.artifact_keys])
        for original in originals:
            removed += _settle(catalog, original)
    settled = {original.home for original in originals}
    paths = [Path(one.path) for one in gone if one.path is not None]
    elsewhere = [path for path in paths if path.parent not in settled and path.exists()]
    return removed + Removed(
        0, tuple(f"{path}: not removed, it does not lie in {uploads_folder}" for path in elsewhere)
    )


def _is_ours(home: Path, uploads_folder: Path) -> bool:
    """Return whether a folder is there and was made for an upload."""
    return home.is_dir() and home.resolve().parent == uploads_folder.resolve()


def _mark(catalog: Catalog, originals: Iterable[Original], marks: ExitStack) -> None:
    try:
        for original in originals:
            marks.enter_context(original.marked(catalog))
    except OSError as error:
        raise StorageError(f"{error.filename}: cannot be written, so this is not purged: {error.strerror}") from error


def _settle(catalog: Catalog, original: Original) -> Removed:
    try:
        return Removed(original.settle(catalog))
    except (CatalogError, OSError) as error:
        return Removed(0, (f"{original.home}: not removed: {error}",))


def _remove_artifacts(storage: Storage, keys: Sequence[str]) -> Removed:
    """Remove what can be removed; a storage that refuses many times in a row is asked no more."""
    files, failures, in_a_row = 0, list[str](), 0
    for position, key in enumerate(keys):
        try:
            storage.delete(key)
        except StorageError as error:
            failures.append(str(error))
            in_a_row += 1
        else:
            files += 1
            in_a_row = 0
        if in_a_row == MOST_FAILURES and keys[position + 1 :]:
            failures.append(f"{len(keys) - position - 1:,} more artifacts were left in {storage.url}")
            break
    return Removed(files, tuple(failures))
