"""Every image as OME-Zarr over HTTP, whatever its file format: documents and chunks made when they are asked for."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from coverslip.api.downloads import BAD_RANGE, byte_range
from coverslip.api.errors import problem, responses
from coverslip.api.rooms import InRooms
from coverslip.api.stores import Stores, is_document
from coverslip.ngff import Version

router = APIRouter(prefix="/api/images", tags=["images"])

Key = Annotated[str, Path(description="Key of a document or chunk, such as `zarr.json` or `0/c/0/0/12/0/0`.")]

ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"description": "The document or chunk", "content": {"application/json": {}, "application/octet-stream": {}}},
    206: {"description": "The bytes asked for"},
    304: {"description": "The client has it already"},
    416: {"description": "There are no such bytes"},
    **responses(400, 404, 422, 503),
}


@router.head("/{image_id}/zarr/{key:path}", include_in_schema=False)
@router.get("/{image_id}/zarr/{key:path}", response_class=Response, responses=ANSWERS)
async def get_zarr(rooms: InRooms, image_id: str, key: Key, request: Request) -> Response:
    """Return a document or chunk of the image as OME-Zarr 0.5 (Zarr 3)."""
    return await _answer(rooms.stores, image_id, "0.5", key, request)


@router.head("/{image_id}/zarr04/{key:path}", include_in_schema=False)
@router.get("/{image_id}/zarr04/{key:path}", response_class=Response, responses=ANSWERS)
async def get_zarr04(rooms: InRooms, image_id: str, key: Key, request: Request) -> Response:
    """Return a document or chunk of the image as OME-Zarr 0.4 (Zarr 2)."""
    return await _answer(rooms.stores, image_id, "0.4", key, request)


async def _answer(stores: Stores, image_id: str, version: Version, key: str, request: Request) -> Response:
    asked = request.headers
    is_head = request.method == "HEAD"
    stored = await stores.get(image_id, version, key, known=asked.get("if-none-match"), size_only=is_head)
    headers = {"etag": stored.etag, "accept-ranges": "bytes", "cache-control": "no-cache"}
    if stored.is_known:
        return Response(status_code=304, headers=headers)
    span = asked.get("range") if asked.get("if-range", stored.etag) == stored.etag else None
    wanted = byte_range(span, stored.size)
    if wanted is None:
        headers["content-range"] = f"bytes */{stored.size}"
        return problem(BAD_RANGE, f"{key} has {stored.size} bytes; asked for: {span}", headers=headers)
    start, stop = wanted
    status = 200
    if (start, stop) != (0, stored.size):
        status, headers["content-range"] = 206, f"bytes {start}-{stop - 1}/{stored.size}"
    headers["content-length"] = str(stop - start)
    body = b"" if stored.data is None else stored.data[start:stop]
    return Response(body, status, headers, "application/json" if is_document(key) else "application/octet-stream")
