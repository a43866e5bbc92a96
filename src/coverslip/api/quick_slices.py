"""The route of slices for requests that are right: without the framework's dependencies, which cost more than drawing.

What is not right in any way does not match here, and comes to the route in ``views``, which says what is wrong. Both
give the same answers.
"""

import re
from collections.abc import Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from pydantic import ValidationError
from starlette.requests import Request
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from coverslip.api.choices import SliceQuery
from coverslip.api.rooms import Rooms
from coverslip.api.views import picture_response

ADDRESS = re.compile(r"/api/images/([0-9a-f-]{36})/slice/([0-9]{1,9})")
CHOSEN = "coverslip.slice"
"""Where a scope has the identifier and the choice of a slice that was asked for rightly."""


class QuickSlices(BaseRoute):
    """Answers GET of slices; to be put before all other routes."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Return whether this is a right request for a slice, and what it asks for."""
        if scope["type"] != "http" or scope["method"] != "GET":
            return Match.NONE, {}
        address = ADDRESS.fullmatch(scope["path"])
        chosen = None if address is None else _query(scope["query_string"])
        if address is None or chosen is None:
            return Match.NONE, {}
        spec = chosen.spec(width=chosen.width, height=chosen.height, z=int(address[2]))
        return Match.FULL, {CHOSEN: (address[1], chosen.format, spec)}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request that matches; errors are answered as those of all routes."""
        rooms: Rooms = scope["app"].state.rooms
        image_id, form, spec = scope[CHOSEN]
        response = await picture_response(rooms, image_id, form, spec, Request(scope, receive))
        await response(scope, receive, send)

    def url_path_for(self, name: str, /, **params: Any) -> NoReturn:
        """Have no name."""
        raise NoMatchFound(name, params)


def _query(text: bytes) -> SliceQuery | None:
    """Return what a query asks for; ``None`` where it is not right, or says something twice."""
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True)
        named: Mapping[str, str] = dict(pairs)
        return SliceQuery.model_validate(named) if len(named) == len(pairs) else None
    except (UnicodeDecodeError, ValidationError):
        return None
