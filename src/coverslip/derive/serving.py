"""Published artifacts, read back and verified."""

import logging
from collections.abc import Mapping

from coverslip.catalog import Catalog
from coverslip.derive.kinds import VERSIONS
from coverslip.derive.outcome import name_of
from coverslip.errors import NotFoundError
from coverslip.model.records import ArtifactRecord
from coverslip.storage import Storage, digest_of

log = logging.getLogger(__name__)

ATTEMPTS = 3


def current(
    catalog: Catalog,
    storage: Storage,
    kind: str,
    image_id: str,
    annotation_id: str | None = None,
    entity_id: int | None = None,
    *,
    versions: Mapping[str, int] = VERSIONS,
) -> tuple[ArtifactRecord, bytes | None]:
    """Return an artifact and its bytes; ``None`` instead of bytes when it must be built first.

    What somebody removed from the storage or damaged there is noticed here and marked as stale.

    Raises
    ------
    NotFoundError
        There is no such image, annotation or kind.
    StorageError
        The storage cannot be read now: nothing is marked.
    """
    whose = (annotation_id, entity_id)
    record = catalog.artifact(kind, image_id, *whose)
    for _ in range(ATTEMPTS):
        if record.key is None or not record.is_fresh(versions[kind]):
            return record, None
        data = _intact(storage, record.key, record.etag)
        if data is not None:
            return record, data
        before, record = record, catalog.artifact(kind, image_id, *whose)
        if record.key == before.key:
            log.info("%s is not in %s any more; it is built again", name_of(record), storage.url)
            gone = "its bytes were gone from the storage"
            catalog.mark(kind, [image_id], annotation_id=annotation_id, entity_id=entity_id, cause=gone)
            record = catalog.artifact(kind, image_id, *whose)
    return record, None


def previous(catalog: Catalog, storage: Storage, record: ArtifactRecord) -> tuple[ArtifactRecord, bytes | None]:
    """Return an artifact and the bytes that were published last, fresh or not; ``None`` where there are none.

    Raises
    ------
    NotFoundError
        It is deleted by now.
    StorageError
        The storage cannot be read now.
    """
    for _ in range(ATTEMPTS):
        if record.key is None:
            return record, None
        data = _intact(storage, record.key, record.etag)
        if data is not None:
            return record, data
        whose = (record.annotation_id, record.entity_id)
        before, record = record, catalog.artifact(record.kind, record.image_id, *whose)
        if record.key == before.key:
            break
    return record, None


def _intact(storage: Storage, key: str, etag: str | None) -> bytes | None:
    """Return the bytes under a key. Bytes that are not what the ETag promises are removed and not returned."""
    try:
        data = storage.read(key)
    except NotFoundError:
        return None
    if etag is None or digest_of(data).startswith(etag):
        return data
    storage.delete(key)  # equal content is not written twice, so the damaged one has to make room
    return None
