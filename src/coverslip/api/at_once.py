"""Answers that need neither a thread nor the framework: stored OME-Zarr chunks, and pictures that were sent before.

It stands behind ``Guard`` and ``Sharing`` like everything else, so what they refuse never comes here. Whatever it
cannot answer at once, and for certain, it passes on: the routes give every answer that this one gives, only later.
"""

import asyncio
import os
import re
from collections import OrderedDict
from typing import NamedTuple

from starlette.datastructures import State
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coverslip.api.kept import is_known
from coverslip.api.near import NearFiles, is_file, is_near
from coverslip.api.parts import Asked, Head, RawHeaders
from coverslip.api.rooms import Rooms
from coverslip.api.stored_files import KEY
from coverslip.api.stores import media_type_of
from coverslip.catalog.places import Places
from coverslip.errors import ReadError
from coverslip.model.records import ImagePlace

ADDRESS = re.compile(
    r"/api/images/([0-9a-f-]{36})/(?:zarr(04)?/(.+)|(thumbnail|slice/[0-9]+|mip|projection|multiview|region))",
    re.DOTALL,
)
KEPT_BYTES = 64 << 20
LARGEST_BYTES = KEPT_BYTES // 8
LONGEST_NAME = 2048
"""Bytes of an address and what belongs to it; longer ones are not kept."""
SAID_AGAIN = frozenset({b"etag", b"cache-control", b"vary"})
"""Headers that an answer without news has as well."""

type Name = tuple[str, bytes, bytes]
"""Address, query and ``Accept`` header, exactly as they came."""


class Seen(NamedTuple):
    """What a picture depends on, as it was when it was made."""

    place: ImagePlace
    mtime_ns: int
    size: int
    ctime_ns: int
    ino: int
    version: int | None
    """Of the whole catalog, for pictures that depend on more of it than the place; else ``None``."""


class Kept(NamedTuple):
    """An answer that was sent."""

    seen: Seen
    etag: str
    headers: RawHeaders
    body: bytes


class AtOnce:
    """ASGI middleware: answers what it can at once, and remembers pictures that pass by.

    Parameters
    ----------
    app
        What answers everything else.
    state
        Of the application; has the rooms while it runs.
    limit
        Bytes of pictures kept.
    """

    def __init__(self, app: ASGIApp, state: State, limit: int = KEPT_BYTES) -> None:
        self._app = app
        self._state = state
        self._limit = limit
        self._kept: OrderedDict[Name, Kept] = OrderedDict()
        self._size = 0
        self._files = NearFiles()
        self._catalog: int | None = None
        self._is_asked = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method = scope.get("method")
        address = ADDRESS.fullmatch(scope["path"]) if method in ("GET", "HEAD") else None
        rooms: Rooms | None = getattr(self._state, "rooms", None) if address is not None else None
        if address is None or rooms is None or rooms.places is None:
            await self._app(scope, receive, send)
            return
        image_id, is_04, key, kind = address.groups()
        if kind is None:
            found = self._chunk(rooms, image_id, "0.4" if is_04 else "0.5", key, scope)
            if found is None:
                await self._app(scope, receive, send)
                return
            head, body = found
            await _send(send, head.status, head.headers, body)
            return
        if method == "HEAD":
            await self._app(scope, receive, send)
            return
        await self._picture(rooms, image_id, kind, scope, receive, send)

    def _chunk(self, rooms: Rooms, image_id: str, version: str, key: str, scope: Scope) -> tuple[Head, bytes] | None:
        """Return the answer for a stored document or chunk that can be read without waiting."""
        places = rooms.places
        place = None if places is None or self._refreshed(places) is None else places.get(image_id)
        near = None if place is None else rooms.stores.near.get(place, version)
        if near is None or KEY.fullmatch(key) is None:
            return None
        if rooms.hand_over:
            headers = rooms.hand_over.headers_for(f"{near.root}/{key}", media_type_of(key))
            if headers is not None:
                return (Head(200, headers), b"") if is_file(f"{near.root}/{key}") else None
        asked = Asked.of(scope["headers"])
        return self._files.answer(near.root, key, media_type_of(key), asked, head_only=scope["method"] == "HEAD")

    def _refreshed(self, places: Places) -> int | None:
        """Return the number of the present state of the catalog, asked for once per round of the event loop.

        Requests that are answered in one round had all arrived before it began, so what is asked once during the
        round is news to each of them. What is scheduled now runs before any request that arrives later.
        """
        if not self._is_asked:
            self._catalog = places.refresh()
            self._is_asked = True
            asyncio.get_running_loop().call_soon(self._ask_again)
        return self._catalog

    def _ask_again(self) -> None:
        self._is_asked = False

    def _look(self, rooms: Rooms, image_id: str, *, is_thumbnail: bool) -> Seen | None:
        """Return what a picture of an image made now would depend on; ``None`` where it is not known at once."""
        places = rooms.places
        version = None if places is None else self._refreshed(places)
        place = None if places is None or version is None else places.get(image_id)
        if place is None:
            return None
        try:
            found = os.stat(place.path)  # noqa: PTH116  a microsecond less, thousands of times a second
        except OSError:
            return None
        words = found.st_mtime_ns, found.st_size, found.st_ctime_ns, found.st_ino
        return Seen(place, *words, version if is_thumbnail else None)

    async def _picture(
        self, rooms: Rooms, image_id: str, kind: str, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer with a kept picture, or have one made and keep it."""
        name, known = _name(scope)
        seen = self._look(rooms, image_id, is_thumbnail=kind == "thumbnail")
        kept = self._kept.get(name)
        if kept is not None and kept.seen == seen:
            self._kept.move_to_end(name)
            if known is not None and is_known(kept.etag, known):
                await _send(send, 304, [item for item in kept.headers if item[0] in SAID_AGAIN], b"")
            else:
                await _send(send, 200, kept.headers, kept.body)
            return
        if kept is not None:
            self._drop(name)
        passing = Passing(send)
        await self._app(scope, receive, passing)
        if (
            seen is not None
            and passing.etag is not None
            and len(passing.body) <= min(LARGEST_BYTES, self._limit)
            and len(scope["path"]) + len(name[1]) + len(name[2]) <= LONGEST_NAME
            and is_near(_something_of(seen.place.path))
            and ((kind == "thumbnail" and not name[1]) or _is_single(rooms, seen.place))
            and self._look(rooms, image_id, is_thumbnail=kind == "thumbnail") == seen
        ):
            self._keep(name, Kept(seen, passing.etag, passing.headers, passing.body))

    def _keep(self, name: Name, kept: Kept) -> None:
        self._drop(name)
        self._kept[name] = kept
        self._size += len(kept.body)
        while self._size > self._limit:
            self._drop(next(iter(self._kept)))

    def _drop(self, name: Name) -> None:
        gone = self._kept.pop(name, None)
        if gone is not None:
            self._size -= len(gone.body)


class Passing:
    """Passes an answer on and holds on to it, if it is one that may be kept: 200, with an ETag, in one piece."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.headers: RawHeaders = []
        self.body = b""
        self.etag: str | None = None
        self._candidate: str | None = None

    async def __call__(self, message: Message) -> None:
        """Pass one message on."""
        if message["type"] == "http.response.start" and message["status"] == 200:
            self.headers = list(message["headers"])  # those outside add theirs to the message
            etag = dict(self.headers).get(b"etag")
            self._candidate = None if etag is None else etag.decode("latin-1")
        elif message["type"] == "http.response.body":
            if self._candidate is not None and self.etag is None and not message.get("more_body"):
                self.body, self.etag = message.get("body", b""), self._candidate
            self._candidate = None
        await self._send(message)


def _name(scope: Scope) -> tuple[Name, str | None]:
    """Return what a picture is kept under, and the ``If-None-Match`` header."""
    accept, known = b"", None
    for name, value in scope["headers"]:
        if name == b"accept" and not accept:
            accept = value
        elif name == b"if-none-match" and known is None:
            known = value.decode("latin-1")
    return (scope["path"], scope["query_string"], accept), known


def _is_single(rooms: Rooms, place: ImagePlace) -> bool:
    """Return whether one look tells of every change of an image: not of sets and folders, nor where nobody knows."""
    try:
        return rooms.files.identity_at_once(place.path, place.revision) is not None
    except ReadError:
        return False


def _something_of(path: str) -> str:
    """Return a file that lies where an image lies: itself, or a document of its folder."""
    if not os.path.isdir(path):  # noqa: PTH112  as above
        return path
    documents = (os.path.join(path, name) for name in ("zarr.json", ".zattrs", ".zgroup"))  # noqa: PTH118
    return next((document for document in documents if os.path.isfile(document)), path)  # noqa: PTH113


async def _send(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
