"""The routes that open images in Neuroglancer: viewer states, and short addresses that lead to the client.

The client is given the address of a state, not the state: a fragment is not sent to a server, but the redirect that
names it is a header, which servers limit.
"""

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse, Response

from coverslip.api.errors import responses
from coverslip.api.neuroglancer import client_folder
from coverslip.api.rooms import InRooms
from coverslip.api.states import FoundState
from coverslip.api.views import STALE
from coverslip.neuroglancer import check_origin

router = APIRouter(tags=["viewing"])

JSON = "application/json"
STATE: dict[int | str, dict[str, Any]] = {
    200: {"description": "The state of Neuroglancer", "content": {JSON: {}}},
    304: {"description": "The client has it already"},
    **responses(400, 404, 422, 503),
}
CLIENT: dict[int | str, dict[str, Any]] = {
    307: {"description": "The address of the viewer"},
    **responses(404, 422, 500, 503),
}


@router.head("/api/images/{image_id}/neuroglancer.json", include_in_schema=False)
@router.get("/api/images/{image_id}/neuroglancer.json", response_class=Response, responses=STATE)
async def get_state(
    rooms: InRooms,
    image_id: str,
    request: Request,
    stale: Annotated[
        Literal["allow"] | None,
        Query(description="allow: while a new one is wanted the previous one will do, marked X-Coverslip-Stale."),
    ] = None,
) -> Response:
    """Return the viewer state of an image: everything that is known around it."""
    known = request.headers.get("if-none-match")
    found = await rooms.states.of_image(image_id, origin_of(request), known=known, allows_stale=stale == "allow")
    return answer(found)


@router.head("/api/views/{view_id}/neuroglancer.json", include_in_schema=False)
@router.get("/api/views/{view_id}/neuroglancer.json", response_class=Response, responses=STATE)
async def get_state_of_view(rooms: InRooms, view_id: str, request: Request) -> Response:
    """Return the viewer state of a view: as it was when it was frozen, or as things are now with the view's edits."""
    view = await run_in_threadpool(rooms.catalog.view, view_id)
    return answer(await rooms.states.of_view(view, origin_of(request), known=request.headers.get("if-none-match")))


@router.head("/api/images/{image_id}/neuroglancer", include_in_schema=False)
@router.head("/view/{image_id}", include_in_schema=False)
@router.get(
    "/api/images/{image_id}/neuroglancer",
    response_class=RedirectResponse,
    status_code=307,
    responses=CLIENT,
    operation_id="open_in_neuroglancer",
)
@router.get(
    "/view/{image_id}", response_class=RedirectResponse, status_code=307, responses=CLIENT, operation_id="view_image"
)
async def view_image(rooms: InRooms, image_id: str, request: Request) -> Response:
    """Go to Neuroglancer, showing everything that is known around the image."""
    origin = origin_of(request)
    await run_in_threadpool(client_folder)
    await rooms.states.of_image(image_id, origin)  # what cannot be shown is said here, not by the viewer
    return _to_client(request, image_id, f"{origin}/api/images/{quote(image_id, safe='')}/neuroglancer.json")


@router.head("/v/{view_id}", include_in_schema=False)
@router.get("/v/{view_id}", response_class=RedirectResponse, status_code=307, responses=CLIENT)
async def open_view(rooms: InRooms, view_id: str, request: Request) -> Response:
    """Go to Neuroglancer, showing a view that was kept."""
    origin = origin_of(request)
    await run_in_threadpool(client_folder)
    view = await run_in_threadpool(rooms.catalog.view, view_id)
    await rooms.states.of_view(view, origin)
    return _to_client(request, view.id, f"{origin}/api/views/{view.id}/neuroglancer.json")


def origin_of(request: Request) -> str:
    """Return the address that a request was sent to, without its path, as a proxy in front of the server tells it.

    Raises
    ------
    InvalidRequestError
        It is no address.
    """
    return check_origin(str(request.base_url))


def answer(found: FoundState) -> Response:
    """Return a state as a response."""
    headers = {"etag": found.etag, "cache-control": "no-cache"}
    if found.is_stale:
        headers[STALE] = "true"
    if found.data is None:
        return Response(status_code=304, headers=headers)
    return Response(found.data, headers=headers, media_type=JSON)


def _to_client(request: Request, token: str, state: str) -> Response:
    below = request.scope.get("root_path", "").rstrip("/")
    address = f"{below}/neuroglancer/v/{quote(token, safe='')}/#!{state}"
    return RedirectResponse(address, headers={"cache-control": "no-cache"})
