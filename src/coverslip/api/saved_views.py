"""The routes of views that people keep: links that follow every change, frozen ones, and edits with a name."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from coverslip.api.errors import responses
from coverslip.api.rooms import InRooms
from coverslip.api.viewing import origin_of
from coverslip.errors import InvalidRequestError, TooLargeError
from coverslip.model.annotations import Name
from coverslip.model.entities import SavedView
from coverslip.neuroglancer import check_state, displace, place, with_edits
from coverslip.neuroglancer.merged import MOST_BYTES, parse_document

router = APIRouter(prefix="/api", tags=["viewing"])

AROUND_BYTES = 4096
"""What a request says beside the state."""


class NewView(BaseModel):
    """A view to be kept."""

    model_config = ConfigDict(extra="forbid")

    name: Name = ""
    is_frozen: bool = False
    """Whether it goes on to show what is there now; others follow every change."""
    state: dict[str, Any] | None = None
    """The viewer's state: what follows ``#!`` in its address. Left out: the present one, without edits."""
    author: Name = ""


class ChangedView(BaseModel):
    """What is to be changed of a view; what is absent stays as it is."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    state: dict[str, Any] | None = None


class ViewBrief(BaseModel):
    """A view that was kept."""

    id: str
    """Short: people read it to each other."""
    image_id: str
    name: str
    is_frozen: bool
    has_edits: bool
    """Whether it is more than a link to what is current."""
    author: str
    created_at: datetime
    updated_at: datetime
    url: str
    """The address that opens it, on this server."""

    @classmethod
    def of(cls, view: SavedView) -> "ViewBrief":
        """Return the document of a view."""
        same = {name: getattr(view, name) for name in cls.model_fields if hasattr(view, name)}
        return cls(**same, has_edits=bool(view.state) and not view.is_frozen, url=f"/v/{view.id}")


class ViewDocument(ViewBrief):
    """A view with the state that was kept of it."""

    state: dict[str, Any]


class ViewList(BaseModel):
    """The views of an image, oldest first."""

    views: list[ViewBrief]


async def _bounded(request: Request) -> bytes:
    """Return the body of a request that may hold a state.

    Raises
    ------
    TooLargeError
        It is longer than a state may be.
    """
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES + AROUND_BYTES:
            raise TooLargeError(f"a state has {MOST_BYTES:,} bytes at most")
    return bytes(body)


Body = Annotated[bytes, Depends(_bounded)]


def _described(model: type[BaseModel]) -> dict[str, Any]:
    """Return what the schema says of a body that the route reads by itself."""
    return {"requestBody": {"content": {"application/json": {"schema": model.model_json_schema()}}}}


def _parsed[M: BaseModel](model: type[M], body: bytes) -> M:
    """Return the body of a request, its state checked.

    Raises
    ------
    InvalidRequestError
        It is none.
    """
    document = parse_document(body or b"{}")
    state = document.get("state")
    if isinstance(state, dict):
        check_state(state)
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = [f"{'.'.join(str(part) for part in one['loc'])}: {one['msg']}" for one in error.errors()]
        raise InvalidRequestError("; ".join(found), found) from error


@router.head("/images/{image_id}/views", include_in_schema=False)
@router.get("/images/{image_id}/views", response_model=ViewList, responses=responses(404, 503))
def list_views(rooms: InRooms, image_id: str) -> ViewList:
    """List the views of an image that people kept."""
    rooms.catalog.get_image(image_id)
    return ViewList(views=[ViewBrief.of(one) for one in rooms.catalog.views(image_id)])


@router.post(
    "/images/{image_id}/views",
    response_model=ViewDocument,
    status_code=201,
    responses=responses(400, 404, 413, 422, 503),
    openapi_extra=_described(NewView),
)
async def keep_view(rooms: InRooms, image_id: str, request: Request, body: Body) -> ViewDocument:
    """Keep a view under a short address: a link to whatever is current, a frozen one, or edits with a name."""
    new = _parsed(NewView, body)
    origin = origin_of(request)
    await run_in_threadpool(rooms.catalog.get_image, image_id)
    state = {} if new.state is None else displace(new.state, origin)
    if new.is_frozen and "layers" not in state:
        state = with_edits(await rooms.states.now(image_id), state)
    view = await run_in_threadpool(
        lambda: rooms.catalog.keep_view(
            image_id, name=new.name, is_frozen=new.is_frozen, state=state, author=new.author
        )
    )
    return _document(view, origin)


@router.head("/views/{view_id}", include_in_schema=False)
@router.get("/views/{view_id}", response_model=ViewDocument, responses=responses(404, 503))
def get_view(rooms: InRooms, view_id: str, request: Request) -> ViewDocument:
    """Return a view and the state that was kept of it."""
    return _document(rooms.catalog.view(view_id), origin_of(request))


@router.patch(
    "/views/{view_id}",
    response_model=ViewDocument,
    responses=responses(400, 404, 409, 413, 503),
    openapi_extra=_described(ChangedView),
)
async def change_view(rooms: InRooms, view_id: str, request: Request, body: Body) -> ViewDocument:
    """Give a view another name, or other edits; a frozen one keeps its state."""
    changed = _parsed(ChangedView, body)
    origin = origin_of(request)
    state = None if changed.state is None else displace(changed.state, origin)
    view = await run_in_threadpool(lambda: rooms.catalog.change_view(view_id, name=changed.name, state=state))
    return _document(view, origin)


@router.delete("/views/{view_id}", status_code=204, response_class=Response, responses=responses(404, 503))
def remove_view(rooms: InRooms, view_id: str) -> Response:
    """Remove a view for good; its link leads nowhere then."""
    rooms.catalog.remove_view(view_id)
    return Response(status_code=204)


def _document(view: SavedView, origin: str) -> ViewDocument:
    return ViewDocument(**dict(ViewBrief.of(view)), state=place(view.state, origin))
