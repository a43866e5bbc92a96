"""Notices from the requests themselves who works on which image, so that any client gets its builds in the pauses."""

import re

from starlette.datastructures import State
from starlette.types import ASGIApp, Receive, Scope, Send

from coverslip.api.rooms import Rooms

_ID = "([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
WORK = re.compile(
    rf"/api/(?:images/{_ID}/(?!artifacts(?:/|$)|thumbnail$)"
    rf"|annotations/{_ID}(?!/(?:process-regen-queue|combined|thumbnail)$))"
)
"""Reads, navigation and saves. What shows or asks for what is built is none: a page that shows each picture as it is
built would stop the building."""


class Noticing:
    """ASGI middleware that tells who builds in pauses which images and annotations are worked on.

    Parameters
    ----------
    app
        What answers.
    state
        Of the application; has the rooms while it runs.
    """

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and note it before and after: a save may take a moment."""
        work = WORK.match(scope["path"]) if scope["type"] == "http" and scope["method"] != "HEAD" else None
        if work is None:
            await self._app(scope, receive, send)
            return
        self._notice(*work.groups())
        try:
            await self._app(scope, receive, send)
        finally:
            self._notice(*work.groups())

    def _notice(self, image_id: str | None, annotation_id: str | None) -> None:
        rooms: Rooms | None = getattr(self._state, "rooms", None)
        opportunistic = None if rooms is None else rooms.opportunistic
        if opportunistic is not None and image_id is not None:
            opportunistic.notice(image_id)
        elif opportunistic is not None and annotation_id is not None:
            opportunistic.notice_annotation(annotation_id)
