"""The routes of pictures of a chosen part of an image, and of what its pixels measure."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from coverslip.api.choices import (
    Format,
    HistogramQuery,
    KeyImageQuery,
    MipQuery,
    MultiviewQuery,
    ProjectionQuery,
    RegionQuery,
    SliceQuery,
    StatsQuery,
    ThumbnailQuery,
    Whole,
)
from coverslip.api.errors import responses
from coverslip.api.kept import Picture
from coverslip.api.pictures import negotiate
from coverslip.api.rooms import InRooms, Rooms
from coverslip.derive import KEY_IMAGE
from coverslip.model import CanRead, RenderSpec
from coverslip.model.render import MediaType
from coverslip.render import MEDIA_TYPES
from coverslip.render.cut import cut, pack
from coverslip.render.measure import histogram, percentiles, sample

router = APIRouter(prefix="/api/images", tags=["pictures"])

MOST_BYTES = 256 << 20
"""Pixels of a region that are sent at once."""

STALE = "X-Coverslip-Stale"
"""Header of pictures whose sources have changed since they were made."""

RANKS = (0.1, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0, 99.9)


PICTURE_TYPES: Mapping[Format, MediaType] = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}


class Measured(BaseModel):
    """Which pixels were looked at, and how sure the answer is."""

    exact: bool
    """Whether all pixels were measured at full resolution."""
    level: int
    """The pyramid level measured; pixels of coarse levels are means."""
    pixels: int
    """Finite pixels measured."""
    rank_error_percent: float
    """By how many percentage points the rank of a percentile may be wrong; 0 when exact."""


class ChannelStats(Measured):
    """What the pixels of one channel are like; null where no pixel is a number."""

    index: int
    name: str
    min: float | None
    max: float | None
    mean: float | None
    std: float | None
    percentiles: dict[str, float | None]


class Stats(BaseModel):
    """The channels of one time point."""

    channels: list[ChannelStats]


class Histogram(Measured):
    """How often which values occur."""

    channel: int
    counts: list[int]
    edges: Annotated[list[float], Field(description="One more than counts; the last bin includes its upper edge.")]


def _route[F: Callable[..., Any]](path: str, content: tuple[str, ...] = MEDIA_TYPES) -> Callable[[F], F]:
    """Return a decorator that serves GET and HEAD of something with an ETag."""

    def register(endpoint: F) -> F:
        router.head(path, include_in_schema=False)(endpoint)
        answers: dict[int | str, dict[str, Any]] = {
            200: {"description": "As asked for", "content": {kind: {} for kind in content}},
            304: {"description": "The client has it already"},
            **responses(400, 404, 422, 503),
        }
        router.get(path, response_class=Response, responses=answers)(endpoint)
        return endpoint

    return register


@_route("/{image_id}/thumbnail")
async def get_thumbnail(
    rooms: InRooms, image_id: str, query: Annotated[ThumbnailQuery, Query()], request: Request
) -> Response:
    """Return a picture: the stored thumbnail, or one drawn for this request."""
    z = query.z if query.z_slice is None else query.z_slice
    spec = query.spec(width=query.width, height=query.height, z=z, projection=query.projection)
    return await picture_response(rooms, image_id, query.format, spec, request)


@_route("/{image_id}/key-image")
async def get_key_image(
    rooms: InRooms, image_id: str, query: Annotated[KeyImageQuery, Query()], request: Request
) -> Response:
    """Return the picture that stands for the image: the thumbnail's view, up to 1024 pixels large."""
    return await picture_response(rooms, image_id, query.format, KEY_IMAGE, request)


@_route("/{image_id}/slice/{z}")
async def get_slice(
    rooms: InRooms, image_id: str, z: Whole, query: Annotated[SliceQuery, Query()], request: Request
) -> Response:
    """Return a picture of one slice."""
    spec = query.spec(width=query.width, height=query.height, z=z)
    return await picture_response(rooms, image_id, query.format, spec, request)


@_route("/{image_id}/mip")
async def get_mip(rooms: InRooms, image_id: str, query: Annotated[MipQuery, Query()], request: Request) -> Response:
    """Return the maximum intensity projection along one axis, in physical proportions."""
    return await picture_response(rooms, image_id, query.format, _projected(query, "max"), request)


@_route("/{image_id}/projection")
async def get_projection(
    rooms: InRooms, image_id: str, query: Annotated[ProjectionQuery, Query()], request: Request
) -> Response:
    """Return a projection of any kind along one axis, in physical proportions."""
    return await picture_response(rooms, image_id, query.format, _projected(query, query.kind), request)


@_route("/{image_id}/multiview")
async def get_multiview(
    rooms: InRooms, image_id: str, query: Annotated[MultiviewQuery, Query()], request: Request
) -> Response:
    """Return the views along Z, Y and X side by side, on one scale."""
    spec = query.spec(
        width=query.width, height=query.height, z=query.z, projection=query.projection, layout="multiview"
    )
    return await picture_response(rooms, image_id, query.format, spec, request)


@_route("/{image_id}/region", (*MEDIA_TYPES, "application/octet-stream", "image/tiff"))
async def get_region(
    rooms: InRooms, image_id: str, query: Annotated[RegionQuery, Query()], request: Request
) -> Response:
    """Return a rectangle of one pyramid level, as a picture or as the pixels themselves."""
    spec = query.spec(
        width=query.width or query.w,
        height=query.height or query.h,
        z=query.z,
        projection=query.projection,
        crop=query.crop(),
    )
    form = query.format
    if form != "npy" and form != "tiff":  # noqa: PLR1714  mypy narrows this one
        return await picture_response(rooms, image_id, form, spec, request)

    def make(image: CanRead) -> bytes:
        return pack(cut(image, query.crop(), t=spec.t, z=spec.z, channels=spec.channels, limit=MOST_BYTES), form)

    media_type = "image/tiff" if form == "tiff" else "application/octet-stream"
    return await _made(rooms, image_id, f"{spec.digest}-{form}", media_type, make, request)


@_route("/{image_id}/histogram", ("application/json",))
async def get_histogram(
    rooms: InRooms, image_id: str, query: Annotated[HistogramQuery, Query()], request: Request
) -> Response:
    """Count how often which values occur in one channel."""

    def make(image: CanRead) -> bytes:
        found = sample(image, query.channel, t=query.t, z=query.z)
        values = found.all
        counts, edges = histogram(values, query.bins)
        document = Histogram(
            channel=query.channel,
            counts=counts.tolist(),
            edges=edges.tolist(),
            exact=found.is_whole,
            level=found.level,
            pixels=values.size,
            rank_error_percent=found.rank_error(percentiles(values, RANKS)),
        )
        return document.model_dump_json().encode()

    name = f"histogram-{query.channel}-{query.bins}-{query.t}-{query.z}"
    return await _made(rooms, image_id, name, "application/json", make, request)


@_route("/{image_id}/stats", ("application/json",))
async def get_stats(rooms: InRooms, image_id: str, query: Annotated[StatsQuery, Query()], request: Request) -> Response:
    """Measure each channel: extremes, mean, standard deviation, percentiles."""
    chosen = query.chosen()

    def make(image: CanRead) -> bytes:
        channels = range(image.metadata.size_c) if chosen is None else chosen
        stats = [_stats(image, c, query.t, query.z) for c in channels]
        return Stats(channels=stats).model_dump_json().encode()

    name = f"stats-{chosen}-{query.t}-{query.z}".replace(" ", "")
    return await _made(rooms, image_id, name, "application/json", make, request)


def _stats(image: CanRead, c: int, t: int | None, z: int | None) -> ChannelStats:
    found = sample(image, c, t=t, z=z)
    values = found.all
    ranks = percentiles(values, RANKS)
    measures = (values.min(), values.max(), values.mean(dtype=float), values.std(dtype=float)) if values.size else ()
    low, high, mean, std = (float(number) for number in measures) if measures else (None,) * 4
    return ChannelStats(
        index=c,
        name=image.metadata.channels[c].name,
        min=low,
        max=high,
        mean=mean,
        std=std,
        percentiles={f"{rank:g}": value if values.size else None for rank, value in zip(RANKS, ranks, strict=True)},
        exact=found.is_whole,
        level=found.level,
        pixels=values.size,
        rank_error_percent=found.rank_error(ranks),
    )


def _projected(query: MipQuery, kind: str) -> RenderSpec:
    return query.spec(width=query.width, height=query.height, z=query.z, axis=query.axis, projection=kind)


async def picture_response(
    rooms: Rooms, image_id: str, form: Format | None, spec: RenderSpec, request: Request
) -> Response:
    """Answer with a picture in the kind that the address or else the Accept header names."""
    media_type = negotiate(request.headers.get("accept")) if form is None else PICTURE_TYPES[form]
    known = request.headers.get("if-none-match")
    return answer(await rooms.pictures.get(image_id, spec, media_type, known, has_gone=request.is_disconnected))


async def _made(
    rooms: Rooms, image_id: str, name: str, media_type: str, make: Callable[[CanRead], bytes], request: Request
) -> Response:
    """Answer with something else that is made from pixels."""
    known, has_gone = request.headers.get("if-none-match"), request.is_disconnected
    return answer(await rooms.pictures.made(image_id, name, media_type, make, known=known, has_gone=has_gone))


def answer(picture: Picture) -> Response:
    """Return a picture as a response, or that the client has it already."""
    headers = {"etag": picture.etag, "cache-control": "no-cache", "vary": "Accept"}
    if picture.is_stale:
        headers[STALE] = "true"
    if picture.data is None:
        return Response(status_code=304, headers=headers)
    return Response(picture.data, headers=headers, media_type=picture.media_type)
