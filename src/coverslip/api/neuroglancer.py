"""Neuroglancer, served from here: the client out of the package ``neuroglancer``.

The client is the one that the package's Python interface drives. It keeps a connection to ``events/<token>`` and says
that it is disconnected where there is none; so there is one, on which nothing is ever said. What it shows is in the
fragment of its address, which begins as the address of a state and becomes the state itself: see ``viewing``.
"""

import re
from collections.abc import AsyncIterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import anyio
from fastapi import APIRouter
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import FileResponse, HTMLResponse, Response

from coverslip import readers
from coverslip.api.page import FOREVER, file_below, media_type_of
from coverslip.errors import MissingDependencyError, NotFoundError

router = APIRouter(tags=["pictures"])

PACKAGE = "neuroglancer"
INDEX = "index.html"
HEAD = '<head><link rel="icon" href="data:,">'
"""Without an icon of its own, a browser asks for one at an address where there is none."""
HEARTBEAT_SECONDS = 15
GRACE_SECONDS = 2.0
_UNSET = re.compile(rb"let\{localAnnotationRelationships:(\w+)\}=this")
POLICY = (
    # it makes workers and style elements of its own, decodes chunks with WebAssembly, and compiles the functions that
    # read annotations and segments from text that it writes itself; nothing comes from elsewhere
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


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
    if file.suffix == ".js" and file.name.startswith("main."):
        return Response(mended_script(file), media_type=media_type_of(file), headers=headers)
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
def mended_script(file: Path) -> bytes:
    """Return the client's main script, in which a state can be written down while its layers are still being restored.

    Version 2.41 asks an annotation layer that has no state yet for the number of its relationships. That throws, and
    the layer that is being restored just then is lost: in every few loads on a busy machine. A later version that says
    something else there is left as it is.
    """
    return _UNSET.sub(rb'let{localAnnotationRelationships:\1=["segments"]}=this', file.read_bytes())


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
