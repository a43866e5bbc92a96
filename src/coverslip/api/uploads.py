"""``POST /api/images/upload``: from the network to a cataloged original, or back to exactly nothing."""

import asyncio
import logging
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool

from coverslip.api.documents import Uploaded, image_stack
from coverslip.api.errors import responses
from coverslip.api.form import FIELD, FileForm, boundary_of, safe_name
from coverslip.api.rooms import InRooms, Rooms
from coverslip.catalog import Catalog
from coverslip.cleanup import Original
from coverslip.errors import (
    BudgetError,
    CatalogError,
    ImageLoadError,
    MissingDependencyError,
    StorageError,
    TooLargeError,
    UnsupportedFormatError,
)
from coverslip.ingest import add_upload
from coverslip.model.records import ImageRecord
from coverslip.storage import hold, publish_file, reason_of

log = logging.getLogger(__name__)
router = APIRouter(tags=["images"])

CHUNK_BYTES = 1 << 20
FORM_BYTES = 1 << 16
"""How much longer than its file a request may be."""
DRAIN_SECONDS = 5.0
"""How long a request that is refused is read on: a browser shows the answer only after it has sent everything."""

BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "string", "format": "binary"}},
                }
            }
        },
    }
}


@router.post(
    "/api/images/upload",
    status_code=201,
    response_model=Uploaded,
    openapi_extra=BODY,
    responses=responses(400, 413, 422, 500, 503),
)
async def upload(request: Request, rooms: InRooms) -> Uploaded:
    """Upload one image file. It is in the library when the answer comes; its thumbnail follows."""
    incoming = Original(rooms.settings.uploads_folder, str(uuid.uuid4()))
    with ExitStack() as held:
        try:
            name = await _receive(request, incoming.part, held, rooms.settings.max_upload_bytes)
            records = await run_in_threadpool(_publish, rooms, incoming, name)
        finally:
            with suppress(OSError):  # the next sweep removes what cannot be removed now
                incoming.part.unlink(missing_ok=True)
    rooms.wake.set()
    images = [image_stack(record) for record in records]
    return Uploaded(id=images[0].id, image_stack=images[0], images=images)


async def _receive(request: Request, part: Path, held: ExitStack, limit: int) -> str:
    """Write the file of the request to its temporary place, which is then held, and return its name."""
    form = FileForm(boundary_of(request.headers.get("content-type")))
    body = request.stream()
    try:
        _check_size(int(request.headers.get("content-length", "0")), limit + FORM_BYTES, limit)
        await _write(body, form, part, held, limit)
        return safe_name(form.finish())
    except (TooLargeError, StorageError):
        if "expect" not in request.headers:
            await _drain(body)
        raise


async def _write(body: AsyncIterator[bytes], form: FileForm, part: Path, held: ExitStack, limit: int) -> None:
    received = 0
    try:
        await run_in_threadpool(part.parent.mkdir, parents=True, exist_ok=True)
        await run_in_threadpool(held.enter_context, hold(part))
        stream = await run_in_threadpool(part.open, "r+b")
        try:
            async for piece in body:
                received += len(piece)
                form.feed(piece)
                _check_size(form.file_bytes, limit, limit)
                _check_size(received, limit + FORM_BYTES, limit)
                if len(form.waiting) >= CHUNK_BYTES:
                    await run_in_threadpool(stream.write, form.take())
            await run_in_threadpool(stream.write, form.take())
        finally:
            stream.close()
    except OSError as error:
        raise StorageError(f"the upload could not be kept: {reason_of(error)}") from error


async def _drain(body: AsyncIterator[bytes]) -> None:
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _piece in body:
                pass
    except TimeoutError:
        return


def _check_size(size: int, allowed: int, limit: int) -> None:
    if size > allowed:
        raise TooLargeError(
            f"uploads may have at most {limit:,} bytes (COVERSLIP_MAX_UPLOAD_BYTES). "
            "Larger files are cataloged where they lie: coverslip add PATH"
        )


def _publish(rooms: Rooms, incoming: Original, name: str) -> tuple[ImageRecord, ...]:
    """Publish the received file under its name and catalog it; on any failure nothing of it is left.

    Raises
    ------
    ImageLoadError
        The file cannot be read as an image.
    StorageError, CatalogError
        The file could not be kept or cataloged.
    """
    catalog, final = rooms.catalog, incoming.home / name
    with ExitStack() as held:
        try:
            held.enter_context(incoming.marked(catalog))
            incoming.home.mkdir()
            publish_file(incoming.part, final)
        except OSError as error:
            incoming.remove()
            raise StorageError(f"the upload could not be kept: {reason_of(error)}") from error
        try:
            return add_upload(catalog, final, rooms.opener.open_image)
        except ImageLoadError as error:
            raise _about(error, incoming, name) from error
        finally:
            _settle_quietly(catalog, incoming)


def _settle_quietly(catalog: Catalog, incoming: Original) -> None:
    """Settle; where the catalog does not answer, the mark stays and the next sweep settles it."""
    try:
        incoming.settle(catalog)
    except (CatalogError, OSError) as error:
        log.warning("%s is left for another time: %s", incoming.home, error)


def _about(error: ImageLoadError, incoming: Original, name: str) -> ImageLoadError:
    """Return the error in words for the one who sent the file: with its name, without our folders."""
    text = str(error).replace(f"{incoming.home}{os.sep}", "")
    if isinstance(error, MissingDependencyError):
        return MissingDependencyError(text, error.package)
    if isinstance(error, BudgetError):
        return error.reworded(text)
    if isinstance(error, UnsupportedFormatError) and _is_zarr_piece(name):
        text = (
            f"{name}: this looks like a piece of an OME-Zarr image, which is a folder and cannot be uploaded. "
            "Copy the whole folder to the server and catalog it there: coverslip add FOLDER"
        )
    return type(error)(text)


def _is_zarr_piece(name: str) -> bool:
    lowered = name.lower()
    return ".zarr" in lowered or lowered in {"zarr.json", "zattrs", "zgroup", "zarray", "zmetadata"}
