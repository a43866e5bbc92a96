"""``/api/exports``: pictures in bulk, made by this server and fetched as one archive."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, model_validator
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from coverslip.api.errors import responses
from coverslip.api.rooms import InRooms, Rooms
from coverslip.api.zipped import zipped
from coverslip.errors import CatalogError, InvalidRequestError, NotFoundError
from coverslip.export import Job, Request
from coverslip.export.library import dataset_items, items_at
from coverslip.export.options import request_from
from coverslip.export.writing import files_in
from coverslip.model.exporting import ENDED, ExportItem, ExportItemState, ExportJob, ExportMode, ExportState

router = APIRouter(prefix="/api/exports", tags=["exports"])

MOST_IMAGES = 10_000
MOST_ITEMS = 1000
"""Items that are listed at once."""
POLL_SECONDS = 0.5
SERVER_ONLY = frozenset(
    {
        "folder",
        "table",
        "data",
        "images",
        "existing",
        "executor",
        "workers",
        "attempts",
        "pause_s",
        "changed",
        "file_format",
    }
)
"""Choices that are the server's own: where files are, and how hard it works."""


class ExportBody(BaseModel):
    """What is wanted."""

    mode: ExportMode
    images: Annotated[list[str], Field(max_length=MOST_IMAGES)] = Field(default_factory=list)
    """Identifiers of images; each is a field of view."""
    dataset: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    """In the place of images: all those of a dataset, by name, identity or public number, or of a folder, by path."""
    marker_set: str | dict[str, Any]
    """Name of one saved beside the first image, or the marker set itself."""
    file_format: str = "png"
    options: dict[str, Any] = Field(default_factory=dict)
    """Further choices by name, as ``overrides`` of ``coverslip.export.Job``."""

    @model_validator(mode="after")
    def _check(self) -> "ExportBody":
        if bool(self.images) == (self.dataset is not None):
            raise ValueError("name images or a dataset, one of them")
        return self


class ExportDocument(BaseModel):
    """How a job stands."""

    id: str
    mode: ExportMode
    state: ExportState
    message: str | None
    total: int
    succeeded: int
    failed: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @classmethod
    def of(cls, job: ExportJob) -> "ExportDocument":
        """Return the document of a job."""
        return cls(**{name: getattr(job, name) for name in cls.model_fields})


class ItemDocument(BaseModel):
    """What became of an item."""

    number: int
    name: str
    path: str
    state: ExportItemState
    error_type: str | None = None
    message: str | None = None
    checksum: str | None = None
    size: int | None = None
    seconds: float = 0
    attempts: int = 0
    details: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, item: ExportItem) -> "ItemDocument":
        """Return the document of an item."""
        known = {"number": item.planned.number, "name": item.planned.name, "path": item.planned.path}
        names = ("error_type", "message", "checksum", "size", "seconds", "attempts", "details")
        done = {} if item.result is None else {name: getattr(item.result, name) for name in names}
        return cls(**known, state=item.state, **done)


class DryRunDocument(BaseModel):
    """What a job would make."""

    files: list[dict[str, Any]]
    problems: list[str]
    size: int
    free: int
    is_sound: bool


@router.post("", status_code=201, responses=responses(400, 404, 422, 503))
async def create_export(rooms: InRooms, body: ExportBody) -> ExportDocument:
    """Plan a job; it is run when its turn comes."""

    def add() -> ExportJob:
        return rooms.exports.add(_request(rooms, body))

    return ExportDocument.of(await run_in_threadpool(add))


@router.post("/dry-run", responses=responses(400, 404, 422, 503))
async def dry_run_export(rooms: InRooms, body: ExportBody) -> DryRunDocument:
    """Say what a job would make and what is wrong with it; nothing is written."""

    def look() -> DryRunDocument:
        found = Job.of(_request(rooms, body), open_file=rooms.opener.open_image).dry_run()
        files = [{name: getattr(one, name) for name in one.__slots__} for one in found.files]
        return DryRunDocument(
            files=files, problems=list(found.problems), size=found.size, free=found.free, is_sound=found.is_sound
        )

    return await run_in_threadpool(look)


@router.post(
    "/preview",
    response_class=Response,
    responses={200: {"content": {"image/png": {}}}, **responses(400, 404, 422, 503)},
)
async def preview_export(rooms: InRooms, body: ExportBody, item: Annotated[int, Query(ge=0)] = 0) -> Response:
    """Draw one item of a job as a PNG; nothing is written."""
    data = await run_in_threadpool(lambda: rooms.exports.preview(_request(rooms, body), item))
    return Response(data, media_type="image/png", headers={"Cache-Control": "no-store"})


@router.get("", responses=responses(422, 503))
async def list_exports(rooms: InRooms, limit: Annotated[int, Query(ge=1, le=1000)] = 100) -> list[ExportDocument]:
    """List jobs, the newest first."""
    return [ExportDocument.of(job) for job in await run_in_threadpool(rooms.catalog.exports, limit)]


@router.get("/{export_id}", responses=responses(404, 503))
async def get_export(rooms: InRooms, export_id: str) -> ExportDocument:
    """Say how a job stands."""
    return ExportDocument.of(await run_in_threadpool(rooms.catalog.export, export_id))


@router.get("/{export_id}/items", responses=responses(404, 422, 503))
async def list_items(
    rooms: InRooms,
    export_id: str,
    *,
    state: ExportItemState | None = None,
    after: Annotated[int, Query(ge=-1, description="Number of the last item seen.")] = -1,
    limit: Annotated[int, Query(ge=1, le=MOST_ITEMS)] = 100,
) -> list[ItemDocument]:
    """List items of a job in their order."""
    found = await run_in_threadpool(
        lambda: rooms.catalog.export_items(export_id, state=state, after=after, limit=limit)
    )
    return [ItemDocument.of(item) for item in found]


@router.post("/{export_id}/cancel", responses=responses(404, 503))
async def cancel_export(rooms: InRooms, export_id: str) -> ExportDocument:
    """Have a job end after the items under way; files that are there stay."""
    return ExportDocument.of(await run_in_threadpool(rooms.catalog.cancel_export, export_id))


@router.post("/{export_id}/resume", responses=responses(404, 409, 503))
async def resume_export(rooms: InRooms, export_id: str) -> ExportDocument:
    """Go on with a job that was cancelled or is paused; what is there is not made again."""
    return ExportDocument.of(await run_in_threadpool(rooms.exports.go_on, export_id))


@router.post("/{export_id}/retry", responses=responses(404, 409, 503))
async def retry_export(rooms: InRooms, export_id: str) -> ExportDocument:
    """Try again what failed, and go on."""
    return ExportDocument.of(await run_in_threadpool(lambda: rooms.exports.go_on(export_id, retry_failed=True)))


@router.get(
    "/{export_id}/download",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}, **responses(404, 503)},
)
async def download_export(rooms: InRooms, export_id: str) -> Response:
    """Send the files of a job and its manifest as one ZIP, made as it is sent."""

    def look() -> tuple[Path, list[str]]:
        job = rooms.exports.own(export_id)
        done = rooms.catalog.export_items(export_id, state="ok")
        folder = Path(job.output_dir)
        paths = dict.fromkeys(item.planned.path for item in done)
        about = sorted([*folder.glob("contact-sheet-*.html"), *folder.glob("manifest-*")])
        return folder, [*_files(folder, paths), *(path.name for path in about)]

    folder, names = await run_in_threadpool(look)
    if not names:
        raise NotFoundError(f"export {export_id} has no files yet")
    headers = {"Content-Disposition": f'attachment; filename="export-{export_id[:8]}.zip"', "Cache-Control": "no-store"}
    return StreamingResponse(zipped(folder, names), media_type="application/zip", headers=headers)


def _files(folder: Path, paths: Iterable[str]) -> Iterator[str]:
    """Yield the files that are there, and those in folders that are there."""
    for path in paths:
        place = folder / path
        if place.is_dir():
            yield from (f"{path}/{name}" for name in sorted(files_in(place)))
        else:
            yield path


@router.get(
    "/{export_id}/events",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **responses(404, 503)},
)
async def export_events(rooms: InRooms, export_id: str) -> Response:
    """Follow a job until it has ended: a message whenever something about it changes."""
    await run_in_threadpool(rooms.catalog.export, export_id)
    stopping = anyio.Event()
    return EventSourceResponse(_follow(rooms, export_id, stopping), shutdown_event=stopping, shutdown_grace_period=2.0)


async def _follow(rooms: Rooms, export_id: str, stopping: anyio.Event) -> AsyncIterator[ServerSentEvent]:
    said = ""
    while not stopping.is_set():
        try:
            job = await run_in_threadpool(rooms.catalog.export, export_id)
        except CatalogError:
            return  # the client comes back
        text = ExportDocument.of(job).model_dump_json()
        if text != said:
            said = text
            yield ServerSentEvent(text, event="export")
        if job.state in ENDED:
            return
        await asyncio.sleep(POLL_SECONDS)


def _request(rooms: Rooms, body: ExportBody) -> Request:
    """Return the request that a body stands for: sources by identifier, files where the server keeps them.

    Raises
    ------
    InvalidRequestError, NotFoundError, ReadError
        It makes no sense, or an image is not there.
    """
    refused = sorted(SERVER_ONLY & body.options.keys())
    if refused:
        raise InvalidRequestError(f"options: {', '.join(refused)} are the server's own choice")
    if body.dataset is None:
        items = items_at(rooms.catalog.place_of(image_id) for image_id in body.images)
    else:
        items = dataset_items(rooms.catalog, body.dataset)
    return request_from(body.mode, items, body.marker_set, rooms.exports.new_folder(), body.file_format, body.options)
