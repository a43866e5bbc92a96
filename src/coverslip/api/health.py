"""``GET /api/health``: whether this server can do its work, for people and for whatever watches it."""

from importlib.metadata import version
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from coverslip.api.rooms import InRooms
from coverslip.derive import VERSIONS, pending_warnings
from coverslip.errors import CatalogError, StorageError
from coverslip.model.records import CatalogCounts

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """How the server is. ``degraded`` comes with status 503, so that a watcher need not read the document."""

    status: Literal["ok", "degraded"]
    version: str
    catalog: str
    """``ok``, or what is wrong."""
    storage: str
    """``ok``, or what is wrong."""
    images: int | None
    """Images in the library; null when the catalog does not answer."""
    stale: int | None
    """Artifacts waiting to be built."""
    failed: int | None
    """Artifacts whose last attempt failed; counted among the stale ones too."""
    queue: str | None
    """``ok``, or that it does not answer, which loses nothing; null where there is none."""
    queue_depth: int | None
    """Messages that wait in the queue."""
    warnings: list[str]
    """What somebody should look at although the server is well: images with more than 50 stale artifacts."""


@router.head("/api/health", include_in_schema=False)
@router.get("/api/health", response_model=Health, responses={503: {"model": Health, "description": "Degraded"}})
def health(rooms: InRooms, response: Response) -> Health:
    """Check the catalog and the storage by writing to them, at most every ten seconds while all is well."""
    catalog = storage = "ok"
    counts: CatalogCounts | None = None
    warnings: list[str] = []
    try:
        rooms.checks.catalog()
        counts = rooms.catalog.counts(VERSIONS)
        warnings = pending_warnings(rooms.catalog, VERSIONS)
    except CatalogError as error:
        catalog = str(error)
    try:
        rooms.checks.storage()
    except StorageError as error:
        storage = str(error)
    depth = None if rooms.queue is None else rooms.queue.depth()
    queue = None if rooms.queue is None else "ok" if depth is not None else "does not answer"
    is_well = catalog == storage == "ok"
    response.status_code = 200 if is_well else 503
    return Health(
        status="ok" if is_well else "degraded",
        version=version("coverslip"),
        catalog=catalog,
        storage=storage,
        images=None if counts is None else counts.images,
        stale=None if counts is None else counts.artifacts_stale,
        failed=None if counts is None else counts.artifacts_failed,
        queue=queue,
        queue_depth=depth,
        warnings=warnings,
    )
