"""What every request passes first and every response last: who may ask, and what a browser may do with the answer.

A server on loopback has no password because only this machine can reach it. A web page elsewhere could still reach it
through the person's browser: by a name that it points at 127.0.0.1 (DNS rebinding), or by sending a form. The check of
``Host`` closes the first way, the check of ``Origin`` the second.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coverslip.api.errors import Answer, problem

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

PAGE_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"

HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    # same-site, not same-origin: a notebook on another port of this machine may show pictures
    b"cross-origin-resource-policy": b"same-site",
}
_POLICY = b"content-security-policy"

FOREIGN_HOST = Answer(403, "foreign-host", "This server does not answer to that name")
FOREIGN_ORIGIN = Answer(403, "foreign-origin", "Another site may not change this library")


class Guard:
    """ASGI middleware: refuses foreign hosts and origins, adds the safety headers.

    Parameters
    ----------
    app
        What it guards.
    host
        The address the server listens on. The ``Host`` header is checked only when this is a loopback address:
        on any other, the server cannot know all names it has.
    """

    def __init__(self, app: ASGIApp, host: str) -> None:
        self._app = app
        self._loopback_only = is_loopback(host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass the request on and mark the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = with_safety(message.get("headers", ()))
            await send(message)

        app = self._refusal(scope["method"], Headers(scope=scope)) or self._app
        await app(scope, receive, send_safely)

    def _refusal(self, method: str, headers: Headers) -> ASGIApp | None:
        host = headers.get("host", "")
        if self._loopback_only and not is_loopback(host_name(host)):
            return problem(
                FOREIGN_HOST,
                f"The request was addressed to {host!r}, but the server listens on this machine only. "
                "Open http://localhost instead, or set COVERSLIP_HOST to share the library on the network.",
            )
        origin = headers.get("origin")
        if origin is not None and method not in SAFE_METHODS and not _same_site(origin, host):
            return problem(FOREIGN_ORIGIN, f"The request came from a page of {origin!r}, not of this server.")
        return None


def with_safety(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a response with the safety headers that it has not set itself."""
    marked = list(headers)
    own = {name.lower(): value for name, value in marked}
    marked += [item for item in HEADERS.items() if item[0] not in own]
    if _POLICY not in own:
        is_page = own.get(b"content-type", b"").startswith(b"text/html")
        marked.append((_POLICY, (PAGE_POLICY if is_page else DATA_POLICY).encode()))
    return marked


@lru_cache(maxsize=256)
def is_loopback(name: str) -> bool:
    """Return whether a host name or address means this machine alone."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=256)
def host_name(host: str) -> str:
    """Return the name in a ``Host`` header, without the port; empty where it is malformed."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _same_site(origin: str, host: str) -> bool:
    """Return whether the origin is this server; the scheme may differ behind a proxy that adds TLS."""
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
