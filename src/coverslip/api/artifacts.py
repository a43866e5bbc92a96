"""The routes of artifacts: what is stale and why, building a batch now, and what is decided by hand."""

import time
from datetime import datetime
from functools import partial
from typing import Annotated, Self

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from coverslip.api.choices import only_digits
from coverslip.api.errors import responses
from coverslip.api.patience import Patience, watching
from coverslip.api.queries import MAX_PAGE
from coverslip.api.rooms import InRooms, Rooms
from coverslip.derive import Batch, Pending, Why, pending, process_batch, why
from coverslip.errors import InvalidRequestError
from coverslip.model.annotations import Frames
from coverslip.model.records import ArtifactRecord, ArtifactState

router = APIRouter(prefix="/api", tags=["artifacts"])

BATCHES = CapacityLimiter(2)
"""Batches worked on at the same time; others wait for their turn without keeping pages from being answered."""

Limit = Annotated[int, BeforeValidator(only_digits), Field(ge=1, le=MAX_PAGE)]


class ArtifactDocument(BaseModel):
    """How one artifact stands."""

    id: str
    kind: str
    image_id: str
    annotation_id: str | None
    """The annotation it is of; null where it is of the whole image."""
    entity_id: int | None
    """Public number of the entity it is of; ``image_id`` is then an image that shows it."""
    state: ArtifactState
    wanted: int
    """How many changes its sources have had."""
    built: int
    """How many of them the published one has seen."""
    stale_since: datetime | None
    cause: str
    """The latest change of its sources."""
    etag: str | None
    media_type: str | None
    size: int | None
    attempts: int
    next_try_at: datetime | None
    error: str | None

    @classmethod
    def of(cls, record: ArtifactRecord, rooms: Rooms) -> "ArtifactDocument":
        """Return the document of a record."""
        version = rooms.builder.versions[record.kind]
        same = {name: getattr(record, name) for name in cls.model_fields if hasattr(ArtifactRecord, name)}
        stale_since = record.marked_at if record.built < record.wanted else None
        return cls(**same | {"state": record.state(version, rooms.catalog.now()), "stale_since": stale_since})


class ArtifactList(BaseModel):
    """A page of artifacts, those that became stale first before the others."""

    artifacts: list[ArtifactDocument]
    total: int
    next_cursor: str | None


class ArtifactWhy(ArtifactDocument):
    """How one artifact stands, why, and what happens next."""

    filename: str
    frames: Frames | None
    """Of the annotation."""
    allows_stale: bool
    """Whether the previous one may be asked for while it is stale."""
    next: str


class PendingDocument(BaseModel):
    """A stale artifact that can be built now."""

    artifact_id: str
    kind: str
    annotation_id: str | None
    frames: Frames | None
    """Of the annotation; null where it is of the whole image."""
    cost: int
    """Frames that are read to build it."""
    stale_since: datetime
    cause: str

    @classmethod
    def of(cls, one: Pending) -> "PendingDocument":
        """Return the document of a pending artifact."""
        return cls(
            artifact_id=one.artifact.id,
            kind=one.artifact.kind,
            annotation_id=one.artifact.annotation_id,
            frames=None if one.annotation is None else one.annotation.frames,
            cost=one.cost,
            stale_since=one.artifact.marked_at,
            cause=one.artifact.cause,
        )


class PendingList(BaseModel):
    """What can be built now for an image: its annotations by their first frame, then the whole image."""

    pending: list[PendingDocument]
    total: int


class Processed(BaseModel):
    """What became of a batch."""

    success: bool
    """Whether nothing failed."""
    processed: int
    failed: int
    """Not counted as processed; each has its reason at its own address."""
    remaining: int
    """What can be built now. Those that failed wait for their next try, those that others build are left to them."""
    total: int
    """How many could be built before."""
    duration_ms: float
    ms_per_image: float

    @classmethod
    def of(cls, batch: Batch) -> "Processed":
        """Return the document of a batch."""
        return cls(
            success=batch.failed == 0,
            processed=batch.processed,
            failed=batch.failed,
            remaining=batch.remaining,
            total=batch.total,
            duration_ms=round(1000 * batch.seconds, 1),
            ms_per_image=round(1000 * batch.seconds_each, 1),
        )


class Rebuild(BaseModel):
    """Which artifacts are to be built anew; the choices narrow each other."""

    model_config = ConfigDict(extra="forbid")

    kind: Annotated[str | None, Field(max_length=100)] = None
    image_id: Annotated[str | None, Field(max_length=100)] = None
    """Those of this image and its annotations."""
    run: Annotated[str | None, Field(min_length=1, max_length=1000)] = None
    """Those of the tomograms and tilt series of this run, by name, identity or public number."""
    everything: bool = False
    """Needed where nothing else is said."""

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if self.everything == any(one is not None for one in (self.kind, self.image_id, self.run)):
            raise ValueError("say which artifacts: kind, image_id, run, or everything alone")
        return self


class Rebuilt(BaseModel):
    """How many artifacts are to be built anew."""

    count: int


class ArtifactsQuery(BaseModel):
    """Which artifacts."""

    model_config = ConfigDict(extra="forbid")

    state: Annotated[ArtifactState | None, Field(description="stale: everything that is not fresh.")] = None
    kind: Annotated[str | None, Field(max_length=100)] = None
    image_id: Annotated[str | None, Field(max_length=100)] = None
    limit: Limit = 100
    cursor: Annotated[str | None, Field(max_length=200, description="next_cursor of the last page.")] = None


@router.get("/artifacts/", response_model=ArtifactList, responses=responses(400, 404, 503))
def list_artifacts(rooms: InRooms, query: Annotated[ArtifactsQuery, Query()]) -> ArtifactList:
    """List artifacts, such as all that are stale."""
    kinds = rooms.builder.kinds
    if query.kind is not None and query.kind not in kinds:
        raise InvalidRequestError(f"kind: there is no {query.kind!r}; there are {', '.join(kinds)}")
    page = rooms.catalog.artifacts(rooms.builder.versions, **query.model_dump())
    shown = [ArtifactDocument.of(record, rooms) for record in page.artifacts]
    return ArtifactList(artifacts=shown, total=page.total, next_cursor=page.next_cursor)


@router.get("/artifacts/{artifact_id}", response_model=ArtifactWhy, responses=responses(404, 503))
def get_artifact(rooms: InRooms, artifact_id: str) -> ArtifactWhy:
    """Say how an artifact stands: which change made it stale, when, and what happens next."""
    noticed = {} if rooms.opportunistic is None else {"is_active": rooms.opportunistic.is_active}
    return _explained(rooms, why(rooms.builder, artifact_id, **noticed))


@router.post("/artifacts/rebuild", response_model=Rebuilt, responses=responses(400, 404, 503))
def rebuild_artifacts(rooms: InRooms, chosen: Rebuild) -> Rebuilt:
    """Make all artifacts stale that the choices allow, such as the viewer states of a run."""
    kinds = rooms.builder.kinds
    if chosen.kind is not None and chosen.kind not in kinds:
        raise InvalidRequestError(f"kind: there is no {chosen.kind!r}; there are {', '.join(kinds)}")
    if chosen.image_id is not None:
        rooms.catalog.get_image(chosen.image_id)
    images = None if chosen.run is None else rooms.catalog.images_of_run(chosen.run)
    count = rooms.catalog.rebuild(kind=chosen.kind, image_id=chosen.image_id, image_ids=images)
    rooms.wake.set()
    return Rebuilt(count=count)


@router.post("/artifacts/{artifact_id}/rebuild", response_model=ArtifactWhy, responses=responses(404, 503))
def rebuild_artifact(rooms: InRooms, artifact_id: str) -> ArtifactWhy:
    """Make an artifact stale, as a change of its sources does."""
    image_id = rooms.catalog.artifact_by_id(artifact_id).image_id
    rooms.catalog.rebuild(artifact_id=artifact_id)
    rooms.hurry(image_id)
    return get_artifact(rooms, artifact_id)


@router.post("/artifacts/{artifact_id}/retry", response_model=ArtifactWhy, responses=responses(404, 503))
def retry_artifact(rooms: InRooms, artifact_id: str) -> ArtifactWhy:
    """Build an artifact soon although it failed a short time ago, or its failure was to be ignored."""
    rooms.catalog.retry(artifact_id)
    rooms.hurry(rooms.catalog.artifact_by_id(artifact_id).image_id)
    return get_artifact(rooms, artifact_id)


@router.post("/artifacts/{artifact_id}/ignore", response_model=ArtifactWhy, responses=responses(404, 409, 503))
def ignore_artifact(rooms: InRooms, artifact_id: str) -> ArtifactWhy:
    """Leave an artifact stale until its sources change, or somebody asks for it."""
    rooms.catalog.ignore(artifact_id, rooms.builder.versions)
    return get_artifact(rooms, artifact_id)


@router.get("/images/{image_id}/artifacts/pending", response_model=PendingList, responses=responses(404, 503))
def list_pending(rooms: InRooms, image_id: str, limit: Annotated[Limit, Query()] = 100) -> PendingList:
    """List what can be built now for an image, in the order in which a batch builds it."""
    found = pending(rooms.builder, image_id, limit)
    total = rooms.catalog.count_pending(image_id, rooms.builder.versions)
    return PendingList(pending=[PendingDocument.of(one) for one in found], total=total)


@router.post("/images/{image_id}/artifacts/process", response_model=Processed, responses=responses(404, 503))
async def process_artifacts(
    rooms: InRooms, request: Request, image_id: str, max_batch: Annotated[Limit, Query()] = 10
) -> Processed:
    """Build some of an image's stale artifacts now, the earliest frame first."""
    return await _process(rooms, request, image_id, max_batch)


@router.post("/annotations/{image_id}/process-regen-queue", response_model=Processed, responses=responses(404, 503))
async def process_regen_queue(
    rooms: InRooms, request: Request, image_id: str, max_batch: Annotated[Limit, Query(alias="maxBatch")] = 10
) -> Processed:
    """Build some of an image's stale artifacts now: another address of the same."""
    return await _process(rooms, request, image_id, max_batch)


async def _process(rooms: Rooms, request: Request, image_id: str, max_batch: int) -> Processed:
    """Build a batch; none is begun when the time of a request is over, and the client going away ends it."""
    await run_in_threadpool(rooms.catalog.get_image, image_id)
    patience = Patience(time.monotonic() + rooms.settings.build_seconds)
    work = partial(
        process_batch,
        *(rooms.builder, image_id, max_batch),
        starts_no_more=patience.is_over,
        should_stop=patience.gone.is_set,
    )
    async with watching(patience, request.is_disconnected):
        batch = await run_sync(work, limiter=BATCHES)
    if patience.gone.is_set():
        raise ClientDisconnect
    return Processed.of(batch)


def _explained(rooms: Rooms, found: Why) -> ArtifactWhy:
    document = ArtifactDocument.of(found.artifact, rooms).model_dump()
    return ArtifactWhy(
        **document
        | {
            "state": found.state,
            "cause": found.cause,
            "filename": found.image.filename,
            "frames": None if found.annotation is None else found.annotation.frames,
            "allows_stale": found.allows_stale,
            "next": found.next,
        }
    )
