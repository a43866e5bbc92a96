"""The routes under ``/api/images``, uploads apart."""

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
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
from coverslip.api.pictures import negotiate
from coverslip.api.rooms import InRooms
from coverslip.model import RenderSpec
from coverslip.render import MEDIA_TYPES

router = APIRouter(prefix="/api/images", tags=["images"])

MOST = 1_000_000_000
"""Larger than any position anybody has, smaller than what databases and C integers choke on."""
MAX_PAGE = 1000


def _only_digits(value: object) -> object:
    """Refuse what Python would take for a number though no person writes it in an address: 1_0, +5, 5.0."""
    if isinstance(value, str) and re.fullmatch(r"\d{1,10}", value, re.ASCII) is None:
        raise ValueError("expected a whole number, 0 or more")
    return value


Whole = Annotated[int, BeforeValidator(_only_digits), Field(ge=0, le=MOST)]
Size = Annotated[int, BeforeValidator(_only_digits), Field(ge=1, le=8192)]


class ListQuery(BaseModel):
    """Which part of the list."""

    model_config = ConfigDict(extra="forbid")

    skip: Whole = 0
    limit: Annotated[int, BeforeValidator(_only_digits), Field(ge=1, le=MAX_PAGE)] = 100
    q: Annotated[str | None, Field(max_length=200, description="Part of a name or file name.")] = None


class PictureQuery(BaseModel):
    """What a picture shows."""

    model_config = ConfigDict(extra="forbid")

    width: Annotated[Size, Field(description="Largest width in pixels.")] = 256
    height: Annotated[Size, Field(description="Largest height in pixels.")] = 256
    z_slice: Annotated[Whole | None, Field(description="Slice; left out: what `projection` says.")] = None
    projection: Annotated[
        Literal["auto", "max"],
        Field(description="Without a slice: the maximum over z; auto: the middle slice where structures are dark."),
    ] = "auto"
    t: Annotated[Whole | None, Field(description="Time point; left out: the middle one.")] = None
    channels: Annotated[
        str | None,
        Field(pattern=r"^\d{1,4}(,\d{1,4}){0,63}$", description="Channel indices such as 0,2; left out: all."),
    ] = None
    v: Annotated[str | None, Field(max_length=100, description="Anything: makes a new address for a cache.")] = None

    def spec(self) -> RenderSpec:
        """Return the rendering choice."""
        chosen = None if self.channels is None else tuple(dict.fromkeys(int(c) for c in self.channels.split(",")))
        return RenderSpec(
            width=self.width,
            height=self.height,
            t=self.t,
            z=self.z_slice,
            projection=self.projection,
            channels=chosen,
        )


@router.get("", include_in_schema=False, response_model=ImageList)
@router.get("/", response_model=ImageList, responses=responses(422, 503))
def list_images(rooms: InRooms, query: Annotated[ListQuery, Query()]) -> ImageList:
    """List images, those added last first."""
    page = rooms.catalog.list_images(skip=query.skip, limit=query.limit, q=query.q or None)
    images = [image_stack(record) for record in page.images]
    return ImageList(images=images, total=page.total, skip=page.skip, limit=page.limit)


@router.get("/formats/supported", response_model=Formats)
def supported_formats() -> Formats:
    """Say which formats can be read here, and what to install for the others."""
    known = readers.formats()
    formats: dict[str, FormatSupport] = {}
    for one in known:
        for ending in one.extensions:
            if ending not in formats or not formats[ending].available:
                formats[ending] = FormatSupport(name=one.title, available=one.available, required_package=one.package)
    missing = sorted({one.package for one in known if not one.available})
    message = f"Missing: pip install {' '.join(missing)}" if missing else "All required packages are installed"
    return Formats(formats=dict(sorted(formats.items())), message=message)


@router.get("/{image_id}", response_model=ImageStack, responses=responses(404, 503))
def get_image(rooms: InRooms, image_id: str) -> ImageStack:
    """Return one image."""
    return image_stack(rooms.catalog.get_image(image_id))


@router.get("/{image_id}/metadata", response_model=FullMetadata, responses=responses(404, 503))
def get_metadata(rooms: InRooms, image_id: str) -> FullMetadata:
    """Return everything known about one image, the vendor's own document included."""
    return full_metadata(rooms.catalog.get_image(image_id))


@router.head("/{image_id}/thumbnail", include_in_schema=False)
@router.get(
    "/{image_id}/thumbnail",
    response_class=Response,
    responses={
        200: {"description": "The picture", "content": {kind: {} for kind in MEDIA_TYPES}},
        304: {"description": "The client has it already"},
        **responses(400, 404, 422, 503),
    },
)
async def get_thumbnail(
    rooms: InRooms, image_id: str, query: Annotated[PictureQuery, Query()], request: Request
) -> Response:
    """Return a picture: the stored thumbnail, or one drawn for this request."""
    asked = request.headers
    picture = await rooms.pictures.get(
        image_id,
        query.spec(),
        negotiate(asked.get("accept")),
        asked.get("if-none-match"),
        has_gone=request.is_disconnected,
    )
    headers = {"etag": picture.etag, "cache-control": "no-cache", "vary": "Accept"}
    if picture.data is None:
        return Response(status_code=304, headers=headers)
    return Response(picture.data, headers=headers, media_type=picture.media_type)


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
    return Download(rooms.catalog.get_image(image_id))


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
