"""Making deletions final: the one place where bytes are removed for good, and only bytes that are ours."""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from itertools import batched
from pathlib import Path

from coverslip.catalog import Catalog
from coverslip.cleanup.removing import Removed, remove_artifacts
from coverslip.cleanup.uploads import Original
from coverslip.errors import CatalogError, StorageError
from coverslip.model.records import ImageRecord
from coverslip.model.removal import IMAGE, Permit, Removal, anything
from coverslip.storage import Storage

BATCH = 100
"""Images purged in one transaction: every upload among them costs an open file meanwhile."""


def plan_purge(
    catalog: Catalog, *, older_than_days: float, actor: str = "", permitted: Permit = anything
) -> list[ImageRecord]:
    """Return the images that were deleted longer ago than this and that an actor may remove; nothing is touched."""
    found = catalog.purgeable(catalog.now() - timedelta(days=older_than_days))
    return [one for one in found if permitted(actor, removal_of(one))]


def removal_of(image: ImageRecord) -> Removal:
    """Return an image as permissions are asked for it."""
    folder, _, name = image.path.rpartition("/")
    return Removal(IMAGE, 0, f"{image.path}#{image.index}", folder, name, image.revision, image_id=image.id)


def purge(
    catalog: Catalog, storage: Storage, uploads_folder: Path, plan: Sequence[ImageRecord], *, actor: str = ""
) -> Removed:
    """Remove deleted images for good.

    The catalog's rows go first, so that there is never a record without its bytes. What a killed purge leaves can be
    found: an uploaded original carries a mark from before its row goes, which ``sweep_uploads`` understands, and
    artifacts without a record are what ``plan_gc`` finds. A file added in place is never touched.

    Raises
    ------
    CatalogError
        The catalog refused; of the images it had not come to, nothing was removed.
    StorageError
        The uploads folder cannot be written; as above.
    """
    removed = Removed()
    for images in batched(plan, BATCH):
        removed += _purge_batch(catalog, storage, uploads_folder, images, actor)
    return removed


def _purge_batch(
    catalog: Catalog, storage: Storage, uploads_folder: Path, images: Sequence[ImageRecord], actor: str
) -> Removed:
    homes = {Path(image.path).parent for image in images if image.origin == "uploaded"}
    originals = [Original(home.parent, home.name) for home in sorted(homes) if _is_ours(home, uploads_folder)]
    with ExitStack() as marks:
        _mark(catalog, originals, marks)
        gone = catalog.purge_images([image.id for image in images], actor=actor)
        removed = remove_artifacts(storage, [key for one in gone for key in one.artifact_keys])
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
