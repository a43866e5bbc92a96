"""Every image as OME-Zarr over HTTP, whatever its file format: documents and chunks made when they are asked for."""

import os
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from coverslip.api.errors import Answer, problem, responses
from coverslip.api.parts import Asked, Head, bodiless, head_of, with_head
from coverslip.api.rooms import InRooms, Rooms
from coverslip.api.stored_files import FileAnswer, StoredFile
from coverslip.api.stores import media_type_of
from coverslip.errors import ReadError, UnreadableFileError
from coverslip.ngff import Version

router = APIRouter(prefix="/api/images", tags=["images"])

Key = Annotated[str, Path(description="Key of a document or chunk, such as `zarr.json` or `0/c/0/0/12/0/0`.")]

UNREAD = Answer(500, "unreadable-file", "The file does not give this part of the image")
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The document or chunk", "content": {"application/json": {}, "application/octet-stream": {}}},
    206: {"description": "The bytes asked for"},
    304: {"description": "The client has it already"},
    416: {"description": "There are no such bytes"},
    **responses(400, 404, 422, 500, 503),
}


@router.head("/{image_id}/zarr/{key:path}", include_in_schema=False)
@router.get("/{image_id}/zarr/{key:path}", response_class=Response, responses=ANSWERS)
async def get_zarr(rooms: InRooms, image_id: str, key: Key, request: Request) -> Response:
    """Return a document or chunk of the image as OME-Zarr 0.5 (Zarr 3)."""
    return await _answer(rooms, image_id, "0.5", key, request)


@router.head("/{image_id}/zarr04/{key:path}", include_in_schema=False)
@router.get("/{image_id}/zarr04/{key:path}", response_class=Response, responses=ANSWERS)
async def get_zarr04(rooms: InRooms, image_id: str, key: Key, request: Request) -> Response:
    """Return a document or chunk of the image as OME-Zarr 0.4 (Zarr 2)."""
    return await _answer(rooms, image_id, "0.4", key, request)


async def _answer(rooms: Rooms, image_id: str, version: Version, key: str, request: Request) -> Response:
    """Return what is under a key. A read that fails is 500: viewers take many other answers for an empty chunk."""
    try:
        return await _found(rooms, image_id, version, key, request)
    except ReadError as error:
        if type(error) not in (ReadError, UnreadableFileError):  # budgets and busy servers have answers of their own
            raise
        return problem(UNREAD, str(error))


async def _found(rooms: Rooms, image_id: str, version: Version, key: str, request: Request) -> Response:
    asked = Asked.of(request.headers.raw)
    is_head = request.method == "HEAD"
    stored = await rooms.stores.get(image_id, version, key, known=asked.known, size_only=is_head)
    media_type = media_type_of(key)
    if isinstance(stored, StoredFile):
        handed_over = rooms.hand_over.headers_for(stored.path, media_type)
        if handed_over is not None:
            os.close(stored.descriptor)
            return with_head(Head(200, handed_over), b"")
        head = head_of(stored.etag, stored.size, media_type, asked)
        if is_head or head.status in (304, 416):
            os.close(stored.descriptor)
            return bodiless(head, key, stored.size, asked.span)
        return FileAnswer(stored, head)
    if stored.is_known:
        return with_head(head_of(stored.etag, 0, media_type, Asked(known="*")), b"")
    head = head_of(stored.etag, stored.size, media_type, asked)
    if stored.data is None or head.status == 416:
        return bodiless(head, key, stored.size, asked.span)
    whole = (head.start, head.stop) == (0, stored.size)
    return with_head(head, stored.data if whole else stored.data[head.start : head.stop])
