"""``GET /metrics``: numbers for monitoring."""

from fastapi import APIRouter, Response

from coverslip.api.errors import responses
from coverslip.api.rooms import InRooms
from coverslip.derive import EXPOSITION_TYPE, exposition

router = APIRouter(tags=["health"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"description": "Numbers", "content": {"text/plain": {}}}, **responses(503)},
)
def get_metrics(rooms: InRooms) -> Response:
    """Return what is stale in the library and what this server has built, for Prometheus."""
    depth = None if rooms.queue is None else rooms.queue.depth()
    text = exposition(rooms.catalog, rooms.builder.versions, rooms.builder.metrics.counts(), queue_depth=depth)
    return Response(text, headers={"content-type": EXPOSITION_TYPE})
