"""Neuroglancer, served from here: the client out of the package ``neuroglancer``, and the state that shows an image.

The client is the one that the package's Python interface drives. It keeps a connection to ``events/<token>`` and says
that it is disconnected where there is none; so there is one, on which nothing is ever said. The view is in the address,
as in every Neuroglancer, and can be kept as a link.
"""

import json
from collections.abc import AsyncIterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import anyio
from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.responses import FileResponse, HTMLResponse, RedirectResponse, Response

from coverslip import readers
from coverslip.api.errors import responses
from coverslip.api.page import FOREVER, file_below, media_type_of
from coverslip.api.rooms import InRooms
from coverslip.errors import MissingDependencyError, NotFoundError

router = APIRouter(tags=["pictures"])

PACKAGE = "neuroglancer"
INDEX = "index.html"
HEAD = '<head><link rel="icon" href="data:,">'
"""Without an icon of its own, a browser asks for one at an address where there is none."""
HEARTBEAT_SECONDS = 15
GRACE_SECONDS = 2.0
POLICY = (
    # it makes workers and style elements of its own, decodes chunks with WebAssembly, and compiles the functions that
    # read annotations and segments from text that it writes itself; nothing comes from elsewhere
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@router.head("/api/images/{image_id}/neuroglancer", include_in_schema=False)
@router.get(
    "/api/images/{image_id}/neuroglancer",
    response_class=RedirectResponse,
    status_code=307,
    responses={307: {"description": "The address of the viewer with this image in it"}, **responses(404, 422, 500)},
)
async def open_in_neuroglancer(rooms: InRooms, image_id: str, request: Request) -> Response:
    """Go to Neuroglancer, showing all channels of the image."""
    await run_in_threadpool(client_folder)
    source = f"{request.url.scheme}://{request.url.netloc}/api/images/{image_id}/zarr"
    state = await rooms.stores.neuroglancer_state(image_id, source)
    written = quote(json.dumps(state, separators=(",", ":"), allow_nan=False), safe="~@#$&()*!+=:;,.?/'")
    return RedirectResponse(f"/neuroglancer/v/{image_id}/#!{written}", headers={"cache-control": "no-cache"})


@router.head("/neuroglancer/v/{token}/{path:path}", include_in_schema=False)
@router.get("/neuroglancer/v/{token}/{path:path}", include_in_schema=False)
def client_file(token: str, path: str) -> Response:
    """Return a file of the client."""
    folder = client_folder()
    if path in ("", INDEX):
        text = (folder / INDEX).read_text(encoding="utf-8").replace("<head>", HEAD, 1)
        return HTMLResponse(text, headers={"cache-control": "no-cache", "content-security-policy": POLICY})
    file = file_below(folder, path)
    if file is None:
        raise NotFoundError(f"Neuroglancer has no file {path!r}")
    # digests of the content are in the names; a worker has the policy of the script it is made of
    headers = {"cache-control": FOREVER, "content-security-policy": POLICY}
    return FileResponse(file, media_type=media_type_of(file), headers=headers)


@router.get("/neuroglancer/events/{token}", include_in_schema=False)
async def silence(token: str) -> Response:
    """Keep the connection that the client wants."""
    stopping = anyio.Event()
    return EventSourceResponse(
        _nothing(stopping), ping=HEARTBEAT_SECONDS, shutdown_event=stopping, shutdown_grace_period=GRACE_SECONDS
    )


async def _nothing(stopping: anyio.Event) -> AsyncIterator[ServerSentEvent]:
    yield ServerSentEvent(comment="nothing to say")
    await stopping.wait()


@cache
def client_folder() -> Path:
    """Return the folder of the built client; the package itself is not imported.

    Raises
    ------
    MissingDependencyError
        The package is not installed, or holds no built client.
    """
    spec = find_spec(PACKAGE)
    for place in () if spec is None else spec.submodule_search_locations or ():
        folder = Path(place) / "static" / "client"
        if (folder / INDEX).is_file():
            return folder
    command = readers.install_command(PACKAGE)
    raise MissingDependencyError(f"this server has no Neuroglancer. Install it: {command}", PACKAGE)
