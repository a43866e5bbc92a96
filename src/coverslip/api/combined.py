"""The routes of the pictures of annotations."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from coverslip.api.choices import CombinedQuery, Format
from coverslip.api.errors import responses
from coverslip.api.kept import Picture
from coverslip.api.pictures import negotiate
from coverslip.api.rooms import InRooms, Rooms
from coverslip.api.views import MOST_BYTES, PICTURE_TYPES, STALE, answer
from coverslip.derive import combined_name, combined_pixels
from coverslip.errors import NotFoundError
from coverslip.model import CanRead
from coverslip.model.annotations import Annotation
from coverslip.render import MEDIA_TYPES

router = APIRouter(prefix="/api/annotations", tags=["annotations"])


def _route[F: Callable[..., Any]](path: str, content: tuple[str, ...] = MEDIA_TYPES) -> Callable[[F], F]:
    """Return a decorator that serves GET and HEAD of something with an ETag."""

    def register(endpoint: F) -> F:
        router.head(path, include_in_schema=False)(endpoint)
        marked = {STALE: {"description": "true: its sources have changed since", "schema": {"type": "string"}}}
        answers: dict[int | str, dict[str, Any]] = {
            200: {"description": "As asked for", "content": {kind: {} for kind in content}, "headers": marked},
            304: {"description": "The client has it already"},
            **responses(400, 404, 422, 503),
        }
        router.get(path, response_class=Response, responses=answers)(endpoint)
        return endpoint

    return register


@_route("/{annotation_id}/combined", (*MEDIA_TYPES, "application/octet-stream", "image/tiff"))
async def get_combined(
    rooms: InRooms, annotation_id: str, query: Annotated[CombinedQuery, Query()], request: Request
) -> Response:
    """Return what the frames of an annotation have in common, cropped to its box."""
    annotation = await run_in_threadpool(_shown, rooms, annotation_id)
    form = query.format
    if form != "npy" and form != "tiff":  # noqa: PLR1714  mypy narrows this one
        kind = combined_name(query.statistic)
        return answer(await _picture(rooms, annotation, kind, form, request, allows_stale=query.stale == "allow"))

    def make(image: CanRead) -> bytes:
        return combined_pixels(image, annotation, query.statistic, form, limit=MOST_BYTES)

    name = f"{annotation.id}-{annotation.revision}-{combined_name(query.statistic)}-{form}"
    known, has_gone = request.headers.get("if-none-match"), request.is_disconnected
    media_type = "image/tiff" if form == "tiff" else "application/octet-stream"
    return answer(
        await rooms.pictures.made(annotation.image_id, name, media_type, make, known=known, has_gone=has_gone)
    )


@_route("/{annotation_id}/thumbnail")
async def get_annotation_thumbnail(
    rooms: InRooms,
    annotation_id: str,
    request: Request,
    format: Annotated[Format | None, Query(description="Kind of picture; left out: what Accept says.")] = None,  # noqa: A002
) -> Response:
    """Return the combined image of an annotation, small enough for a list."""
    annotation = await run_in_threadpool(_shown, rooms, annotation_id)
    return answer(await _picture(rooms, annotation, "combined-small", format, request, allows_stale=False))


def _shown(rooms: Rooms, annotation_id: str) -> Annotation:
    annotation = rooms.catalog.annotation(annotation_id)
    if annotation.deleted_at is not None:
        raise NotFoundError(f"annotation {annotation_id} is deleted; undo brings it back")
    return annotation


async def _picture(
    rooms: Rooms, annotation: Annotation, kind: str, form: Format | None, request: Request, *, allows_stale: bool
) -> Picture:
    media_type = negotiate(request.headers.get("accept")) if form is None else PICTURE_TYPES[form]
    return await rooms.pictures.stored.get(
        kind,
        annotation.image_id,
        media_type,
        request.headers.get("if-none-match"),
        annotation_id=annotation.id,
        allows_stale=allows_stale,
    )
