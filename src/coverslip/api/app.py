"""The application: opens the rooms, serves the routes, closes the rooms."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.types import Receive, Scope, Send

from coverslip.api import (
    annotations,
    artifacts,
    cleanup,
    cleanup_bytes,
    cleanup_pages,
    combined,
    entities,
    errors,
    events,
    exports,
    health,
    images,
    metrics,
    neuroglancer,
    precomputed,
    saved_views,
    uploads,
    viewing,
    views,
    zarr,
)
from coverslip.api.at_once import AtOnce
from coverslip.api.checks import Checks
from coverslip.api.feed import EventFeed
from coverslip.api.guard import Guard
from coverslip.api.hand_over import HandOver
from coverslip.api.image_marks import ImageMarks
from coverslip.api.noticing import Noticing
from coverslip.api.open_files import OpenFiles
from coverslip.api.page import PAGE_FOLDER, Page
from coverslip.api.pictures import Pictures
from coverslip.api.precomputes import Precomputes
from coverslip.api.quick_slices import QuickSlices
from coverslip.api.rooms import Rooms
from coverslip.api.sharing import Sharing
from coverslip.api.states import ViewerStates
from coverslip.api.stores import Stores
from coverslip.api.strategies import building
from coverslip.catalog import Catalog
from coverslip.cleanup import announce, keep_tending, sweep_uploads
from coverslip.confined import Opener
from coverslip.derive import Builder, Uses, open_catalog_of, ringing
from coverslip.errors import CatalogError, StorageError
from coverslip.export.service import ExportService
from coverslip.model.removal import Permit, anything
from coverslip.model.speaking import Who, speaking
from coverslip.settings import Settings
from coverslip.sources import RemoteRules, locate
from coverslip.storage import Storage, open_storage

log = logging.getLogger(__name__)

USES_SECONDS = 60.0
"""How often the catalog hears which artifacts were shown."""
IDLE_SECONDS = 60.0
"""Image files nobody has looked at for so long are closed."""
IDLE_PROCESS_SECONDS = 600.0
"""Confined processes that nobody has used for so long are ended."""
SWEEP_SECONDS = 600.0
"""How often somebody looks for what a process that was killed has left of an upload."""


class Guarded(FastAPI):
    """A FastAPI application behind the guard, with what is answered at once between the two.

    Parameters
    ----------
    settings
        Who may ask.
    options
        Those of FastAPI.
    """

    def __init__(self, settings: Settings, **options: Any) -> None:
        super().__init__(**options)
        at_once = AtOnce(super().__call__, self.state)
        noticing = Noticing(at_once, self.state)
        self._guarded = Guard(Sharing(noticing, settings.zarr_origins), settings.host)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request: guard, sharing, what is answered at once, and then the framework."""
        await self._guarded(scope, receive, send)


def create_app(
    settings: Settings,
    *,
    build_in_background: bool = True,
    page_folder: Path = PAGE_FOLDER,
    permit: Permit = anything,
) -> FastAPI:
    """Return the application. Catalog and storage are opened when it starts and closed when it stops.

    Parameters
    ----------
    settings
        Where everything is.
    build_in_background
        Build stale artifacts in threads of this process: those of images that somebody annotates in the pauses, the
        others at once, or, where there is a queue, not at all.
    page_folder
        The built web page.
    permit
        Asked for every row that somebody would remove or bring back by a cleanup.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            app.state.rooms = replace(await _open_rooms(stack, settings, build_in_background), permit=permit)
            yield

    app = Guarded(
        settings,
        title="Coverslip",
        version=version("coverslip"),
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,  # both pages load scripts from elsewhere
        redoc_url=None,
    )
    errors.install(app)
    pixels, marks = (uploads, images, views, zarr), (annotations, combined, entities)
    viewers = (viewing, saved_views, precomputed, neuroglancer)
    cleanups = (cleanup, cleanup_bytes, cleanup_pages)
    for part in (*pixels, *marks, artifacts, *viewers, *cleanups, exports, events, health, metrics):
        app.include_router(part.router)
    app.router.routes.insert(0, QuickSlices())
    app.router.default = Page(page_folder)
    return app


async def _open_rooms(stack: AsyncExitStack, settings: Settings, build_in_background: bool) -> Rooms:
    """Open everything the routes need; the stack closes it in the opposite order."""
    with speaking(Who(command="coverslip serve")):  # of requests that name no author nobody knows who it was
        catalog = await run_in_threadpool(open_catalog_of, settings)
    stack.push_async_callback(run_in_threadpool, catalog.close)
    queue = stack.enter_context(ringing(catalog, settings.queue_url))
    storage = await run_in_threadpool(open_storage, settings.artifacts_url)
    await run_in_threadpool(_announce, catalog, storage)
    await run_in_threadpool(sweep_uploads, catalog, settings.uploads_folder)
    opener = Opener(settings)
    stack.push_async_callback(run_in_threadpool, opener.close)
    find = partial(locate, rules=RemoteRules.of(settings))
    builder = Builder(catalog, storage, lease_seconds=settings.lease_seconds, open_file=opener.open_image, locate=find)
    files = OpenFiles(open_file=opener.open_image, locate=find)
    stack.push_async_callback(run_in_threadpool, files.close)
    uses = Uses(catalog)
    stack.push_async_callback(run_in_threadpool, _write, uses)
    places = await run_in_threadpool(catalog.places)
    if places is not None:
        stack.callback(places.close)
    pictures = Pictures(catalog, builder, files, uses, build_seconds=settings.build_seconds, places=places)
    feed = EventFeed(catalog)
    wake = threading.Event()
    opportunistic = None
    if build_in_background:
        opportunistic = stack.enter_context(building(builder, settings, wake))
        stack.enter_context(_tending(catalog, storage, settings))
    loops = (_close_idle(files, opener), _sweep(catalog, settings.uploads_folder), _write_often(uses))
    await stack.enter_async_context(_running(feed, *loops))
    exports = ExportService(catalog, settings.home / "exports", opener.open_image)
    exports.start()
    stack.push_async_callback(run_in_threadpool, exports.close)
    checks = Checks(catalog, storage)
    stores, hand_over = Stores(catalog, files), HandOver(settings.accelerated_folders)
    return Rooms(
        settings,
        catalog,
        storage,
        opener,
        builder,
        files,
        pictures,
        stores,
        ViewerStates(builder, uses, build_seconds=settings.build_seconds),
        Precomputes(builder, uses, build_seconds=settings.build_seconds),
        ImageMarks(catalog, files),
        feed,
        wake,
        checks,
        hand_over,
        exports,
        places,
        queue,
        opportunistic,
    )


@contextmanager
def _tending(catalog: Catalog, storage: Storage, settings: Settings) -> Iterator[None]:
    """Clear up the storage now and then for the time of a ``with`` statement."""
    should_stop = threading.Event()
    words = (catalog, storage, settings, should_stop)
    thread = threading.Thread(target=keep_tending, args=words, name="gc", daemon=True)
    thread.start()
    try:
        yield
    finally:
        should_stop.set()
        thread.join()


@asynccontextmanager
async def _running(feed: EventFeed, *others: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run the loops of the event loop's own thread for the time of a ``with`` statement."""
    async with asyncio.TaskGroup() as tasks:
        loops = [tasks.create_task(loop) for loop in (feed.run(), *others)]
        try:
            yield
        finally:
            feed.close()
            for loop in loops:
                loop.cancel()


async def _close_idle(files: OpenFiles, opener: Opener) -> None:
    while True:
        await asyncio.sleep(IDLE_SECONDS / 2)
        await run_in_threadpool(files.close_idle, IDLE_SECONDS)
        await run_in_threadpool(opener.close_idle, IDLE_PROCESS_SECONDS)


async def _write_often(uses: Uses) -> None:
    while True:
        await asyncio.sleep(USES_SECONDS)
        await run_in_threadpool(_write, uses)


def _announce(catalog: Catalog, storage: Storage) -> None:
    try:
        announce(catalog, storage)
    except (CatalogError, StorageError) as error:  # what there is can still be looked at, and health says it too
        log.warning("%s", error)


def _write(uses: Uses) -> None:
    try:
        uses.write()
    except CatalogError as error:
        log.warning("which artifacts were used is not written down now: %s", error)


async def _sweep(catalog: Catalog, uploads_folder: Path) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        await run_in_threadpool(sweep_uploads, catalog, uploads_folder)
