"""The routes of what Neuroglancer reads beside pixels: precomputed annotations, segment properties, marks, cells."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from coverslip.api.errors import problem, responses
from coverslip.api.kept import is_known
from coverslip.api.parts import Asked, bodiless, head_of, with_head
from coverslip.api.precomputes import Opened
from coverslip.api.rooms import InRooms, Rooms
from coverslip.api.zarr import UNREAD
from coverslip.errors import NotFoundError, ReadError

router = APIRouter(prefix="/api", tags=["viewing"])

MOST = (1 << 63) - 1
EntityId = Annotated[int, Path(ge=1, le=MOST, description="Public number of the entity.")]
File = Annotated[str, Path(description="A file of the precompute, such as `info` or `by_id/0.shard`.")]
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The file", "content": {"application/json": {}, "application/octet-stream": {}}},
    206: {"description": "The bytes asked for"},
    304: {"description": "The client has it already"},
    416: {"description": "There are no such bytes"},
    **responses(404, 422, 500, 503),
}


@router.head("/entities/{number}/precomputed/{shape}/{path:path}", include_in_schema=False)
@router.get("/entities/{number}/precomputed/{shape}/{path:path}", response_class=Response, responses=ANSWERS)
async def get_precomputed(rooms: InRooms, number: EntityId, shape: str, path: File, request: Request) -> Response:
    """Return a file of one shape of an annotation as Neuroglancer reads it, built first where it is not there."""
    return await _answer(rooms, await rooms.precomputes.open(number, shape), path, request)


@router.head("/images/{image_id}/labels/{name}/properties/{path:path}", include_in_schema=False)
@router.get("/images/{image_id}/labels/{name}/properties/{path:path}", response_class=Response, responses=ANSWERS)
async def get_label_properties(rooms: InRooms, image_id: str, name: str, path: File, request: Request) -> Response:
    """Return what the cell table says of the objects of a label image."""
    opened = await run_in_threadpool(rooms.marks.properties, image_id, name)
    return await _answer(rooms, opened, path, request)


@router.head("/images/{image_id}/annotations/{track:path}/precomputed/{kind}/{path:path}", include_in_schema=False)
@router.get(
    "/images/{image_id}/annotations/{track:path}/precomputed/{kind}/{path:path}",
    response_class=Response,
    responses=ANSWERS,
)
async def get_marks(
    rooms: InRooms,
    image_id: str,
    track: str,
    kind: Literal["point", "axis_aligned_bounding_box", "polyline"],
    path: File,
    request: Request,
) -> Response:
    """Return what people marked in an image, of one track and one kind."""
    opened = await run_in_threadpool(rooms.marks.marks, image_id, track, kind)
    return await _answer(rooms, opened, path, request)


@router.head("/images/{image_id}/cells/{name}/precomputed/{path:path}", include_in_schema=False)
@router.get("/images/{image_id}/cells/{name}/precomputed/{path:path}", response_class=Response, responses=ANSWERS)
async def get_cells(rooms: InRooms, image_id: str, name: str, path: File, request: Request) -> Response:
    """Return where the objects of the cell table are."""
    if name != "cells":
        raise NotFoundError(f"this image has no cells {name[:100]!r}; its cell table is called 'cells'")
    opened = await run_in_threadpool(rooms.marks.cells, image_id)
    return await _answer(rooms, opened, path, request)


async def _answer(rooms: Rooms, opened: Opened, path: str, request: Request) -> Response:
    """Return a file or a range of it. What is damaged is 500: Neuroglancer takes some answers for an empty cell."""
    size = opened.files.size(path)
    media_type = b"application/json" if path.endswith("info") else b"application/octet-stream"
    asked = Asked.of(request.headers.raw)
    head = head_of(opened.etag, size, media_type, asked)
    if request.method == "HEAD" or head.status == 416 or is_known(opened.etag, asked.known):
        return bodiless(head, path, size, asked.span)
    try:
        return with_head(head, await rooms.precomputes.read(opened, path, head.start, head.stop))
    except ReadError as error:
        return problem(UNREAD, str(error))
