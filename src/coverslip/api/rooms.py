"""What the routes share: the open rooms of one running server."""

import threading
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from coverslip.api.checks import Checks
from coverslip.api.feed import EventFeed
from coverslip.api.hand_over import HandOver
from coverslip.api.image_marks import ImageMarks
from coverslip.api.open_files import OpenFiles
from coverslip.api.pictures import Pictures
from coverslip.api.precomputes import Precomputes
from coverslip.api.states import ViewerStates
from coverslip.api.stores import Stores
from coverslip.catalog import Catalog
from coverslip.catalog.places import Places
from coverslip.confined import Opener
from coverslip.derive import Builder, Opportunistic
from coverslip.export.service import ExportService
from coverslip.jobs.queue import RedisQueue
from coverslip.model.removal import Permit, anything
from coverslip.settings import Settings
from coverslip.storage import Storage


@dataclass(frozen=True, slots=True)
class Rooms:
    """Everything that lives as long as the server runs."""

    settings: Settings
    catalog: Catalog
    storage: Storage
    opener: Opener
    builder: Builder
    files: OpenFiles
    pictures: Pictures
    stores: Stores
    states: ViewerStates
    precomputes: Precomputes
    marks: ImageMarks
    feed: EventFeed
    wake: threading.Event
    """Set when there is something new to build."""
    checks: Checks
    hand_over: HandOver
    exports: ExportService
    places: Places | None
    """For the event loop alone; ``None`` where looking an image up takes time."""
    queue: RedisQueue | None
    """``None`` where the settings name none."""
    opportunistic: Opportunistic | None
    """``None`` where this server does not build in pauses."""
    permit: Permit = anything
    """Asked for every row that somebody would remove or bring back."""

    def hurry(self, image_id: str) -> None:
        """Tell who builds that somebody waits for something of an image."""
        self.wake.set()
        if self.queue is not None:
            self.queue.ring(image_id, urgent=True)


async def rooms_of(request: Request) -> Rooms:
    """Return the rooms of the app that this request came to."""
    rooms: Rooms = request.app.state.rooms
    return rooms


InRooms = Annotated[Rooms, Depends(rooms_of)]
