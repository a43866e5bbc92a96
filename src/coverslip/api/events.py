"""``GET /api/events``: what happens in the catalog, as server-sent events."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Annotated

import anyio
from fastapi import APIRouter, Header
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from coverslip.api.errors import responses
from coverslip.api.feed import EventFeed
from coverslip.api.rooms import InRooms
from coverslip.errors import CatalogError
from coverslip.model.records import Event

log = logging.getLogger(__name__)
router = APIRouter(tags=["events"])

HEARTBEAT_SECONDS = 15
GRACE_SECONDS = 2.0
RETRY_MS = 2000
SEND_SECONDS = 30.0
"""A listener that takes nothing for so long is let go; it comes back with the last number it saw."""


@router.get(
    "/api/events",
    response_class=EventSourceResponse,
    responses={200: {"content": {"text/event-stream": {}}}, **responses(503)},
)
async def events(
    rooms: InRooms, last_event_id: Annotated[str | None, Header(description="Number of the last event seen.")] = None
) -> Response:
    """Follow the catalog: additions, changes, deletions, built thumbnails."""
    newest = await run_in_threadpool(rooms.catalog.last_event)
    seen = _number(last_event_id)
    stopping = anyio.Event()
    return EventSourceResponse(
        _messages(rooms.feed, newest if seen is None else seen, stopping),
        ping=HEARTBEAT_SECONDS,
        send_timeout=SEND_SECONDS,
        shutdown_event=stopping,
        shutdown_grace_period=GRACE_SECONDS,
    )


async def _messages(feed: EventFeed, after: int, stopping: anyio.Event) -> AsyncIterator[ServerSentEvent]:
    watch = asyncio.create_task(_close_with_server(feed, stopping))
    try:
        yield ServerSentEvent(comment="listening", retry=RETRY_MS)
        async with aclosing(feed.follow(after, on_gap=_gap)) as events_in_order:
            async for event in events_in_order:
                data = {"image_id": event.image_id, **event.data}
                yield ServerSentEvent(json.dumps(data, separators=(",", ":")), event=event.type, id=str(event.seq))
    except CatalogError as error:
        # the client comes back with the last number it saw
        log.warning("a stream of events ends early: %s", error)
    finally:
        watch.cancel()


async def _close_with_server(feed: EventFeed, stopping: anyio.Event) -> None:
    """End the streams properly: a server that stops waits for them before it ends the app."""
    await stopping.wait()
    feed.close()


def _gap(newest: int) -> Event:
    return Event(seq=newest, type="reset", image_id="", data={})


def _number(text: str | None) -> int | None:
    """Return the event number a client sends back; anything we did not give out counts as none."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 19 else None
