"""Which web pages of other sites may read images as OME-Zarr: none, unless the setting ``zarr_origins`` names them.

A browser lets a page read from another address only what that address allows (https://fetch.spec.whatwg.org, CORS). The
viewers of OME-Zarr are such pages. Nothing but the OME-Zarr routes is ever allowed, and reading only.
"""

import re
from functools import partial

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ADDRESS = re.compile(r"/api/images/[^/]+/zarr(04)?/")
EVERYBODY = "*"
EXPOSED = "accept-ranges, content-length, content-range, etag"
PREFLIGHT = {
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": "range, if-none-match, if-range",
    # Chromium asks before a page of the internet may reach this machine
    "access-control-allow-private-network": "true",
    "access-control-max-age": "600",
}


class Sharing:
    """ASGI middleware: marks OME-Zarr answers as readable by the pages of some sites.

    Parameters
    ----------
    app
        What answers.
    origins
        Origins separated by commas, such as ``https://viewer.example``, or ``*``; empty is none.
    """

    def __init__(self, app: ASGIApp, origins: str) -> None:
        self._app = app
        self._origins = frozenset(name for part in origins.split(",") if (name := part.strip().rstrip("/").lower()))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer a browser that asks beforehand."""
        origin = Headers(scope=scope).get("origin") if scope["type"] == "http" and self._origins else None
        if origin is None or ADDRESS.match(scope["path"]) is None or not self._allows(origin):
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=PREFLIGHT)(scope, receive, partial(self._marked, origin, send))
        else:
            await self._app(scope, receive, partial(self._marked, origin, send))

    def _allows(self, origin: str) -> bool:
        return EVERYBODY in self._origins or origin.lower() in self._origins

    async def _marked(self, origin: str, send: Send, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
            headers["access-control-expose-headers"] = EXPOSED
            headers["cross-origin-resource-policy"] = "cross-origin"
            headers.add_vary_header("Origin")
        await send(message)
