"""The routes under ``/api/images``, uploads and pictures apart."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from coverslip import readers
from coverslip.api.documents import (
    Deleted,
    Formats,
    FormatSupport,
    FullMetadata,
    ImageList,
    ImageStack,
    full_metadata,
    image_stack,
)
from coverslip.api.downloads import Download
from coverslip.api.errors import responses
from coverslip.api.queries import ListQuery
from coverslip.api.rooms import InRooms

router = APIRouter(prefix="/api/images", tags=["images"])


@router.head("", include_in_schema=False)
@router.head("/", include_in_schema=False)
@router.get("", include_in_schema=False, response_model=ImageList)
@router.get("/", response_model=ImageList, responses=responses(422, 503))
def list_images(rooms: InRooms, query: Annotated[ListQuery, Query()]) -> ImageList:
    """List images, those added last first unless another order is asked for."""
    page = rooms.catalog.list_images(
        skip=query.skip,
        limit=query.limit,
        q=query.q or None,
        having=query.having(),
        sort=query.sort,
        after=query.after(),
    )
    images = [image_stack(record) for record in page.images]
    return ImageList(images=images, total=page.total, skip=page.skip, limit=page.limit, next_cursor=page.next_cursor)


@router.head("/formats/supported", include_in_schema=False)
@router.get("/formats/supported", response_model=Formats)
def supported_formats() -> Formats:
    """Say which formats can be read here, and what to install for the others."""
    known = readers.formats()
    formats: dict[str, FormatSupport] = {}
    for one in sorted(known, key=lambda one: one.reads_sets):  # an ending stands for single files first
        for ending in one.extensions:
            if ending not in formats or not formats[ending].available:
                formats[ending] = FormatSupport(
                    name=one.title,
                    available=one.available,
                    required_package=one.package,
                    reason=one.reason,
                    install=one.install,
                    experimental=one.experimental,
                )
    missing = sorted({one.package for one in known if not one.available})
    message = f"Missing: pip install {' '.join(missing)}" if missing else "All required packages are installed"
    return Formats(formats=dict(sorted(formats.items())), message=message)


@router.head("/{image_id}", include_in_schema=False)
@router.get("/{image_id}", response_model=ImageStack, responses=responses(404, 503))
def get_image(rooms: InRooms, image_id: str) -> ImageStack:
    """Return one image."""
    return image_stack(rooms.catalog.get_image(image_id))


@router.head("/{image_id}/metadata", include_in_schema=False)
@router.get("/{image_id}/metadata", response_model=FullMetadata, responses=responses(404, 503))
def get_metadata(rooms: InRooms, image_id: str) -> FullMetadata:
    """Return everything known about one image, the vendor's own document included."""
    return full_metadata(rooms.catalog.get_image(image_id))


@router.head("/{image_id}/download", include_in_schema=False)
@router.get(
    "/{image_id}/download",
    response_class=Response,
    responses={
        200: {"description": "The original file", "content": {"application/octet-stream": {}}},
        206: {"description": "The bytes asked for"},
        304: {"description": "The client has it already"},
        416: {"description": "The file has no such bytes"},
        **responses(404, 409, 422, 503),
    },
)
def download(rooms: InRooms, image_id: str) -> Response:
    """Download the original file, whole or the part that the Range header names."""
    return Download(rooms.catalog.get_image(image_id), rooms.files.locate)


@router.delete("/{image_id}", response_model=Deleted, responses=responses(404, 503))
def delete_image(rooms: InRooms, image_id: str) -> Deleted:
    """Hide an image at once. It can be restored until it is purged; files added in place are never touched."""
    record = rooms.catalog.get_image(image_id)
    rooms.catalog.delete_image(image_id)
    rooms.files.forget(record.path)
    return Deleted(message=f"Image deleted; restore it with POST /api/images/{image_id}/restore", id=image_id)


@router.post("/{image_id}/restore", response_model=ImageStack, responses=responses(404, 409, 503))
def restore_image(rooms: InRooms, image_id: str) -> ImageStack:
    """Undo a deletion."""
    rooms.catalog.restore_image(image_id)
    rooms.wake.set()
    return image_stack(rooms.catalog.get_image(image_id))
