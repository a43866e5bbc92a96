"""Pictures of images: the stored thumbnail, and others drawn when asked for. Each has an ETag that needs no pixels."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

import anyio
import cv2
import numpy as np
from anyio.to_thread import run_sync
from numpy.typing import NDArray
from starlette.requests import ClientDisconnect

from coverslip import render
from coverslip.api.byte_cache import ByteCache
from coverslip.api.open_files import Identity, OpenFiles
from coverslip.api.patience import HasGone, Patience, stays, turn, watching
from coverslip.catalog import Catalog
from coverslip.catalog.places import Places
from coverslip.derive import BY_CHOICE, VERSIONS, Builder, GivenUp, InterruptibleImage, Uses
from coverslip.errors import BuildError, ReadError, StorageError
from coverslip.model import CanRead, RenderSpec
from coverslip.model.records import ArtifactRecord, ImagePlace
from coverslip.model.render import MediaType

THUMBNAIL = "thumbnail"
DRAWING_VERSION = 3
"""Raise it when ``render`` draws the same choice differently."""
STORED_FROM_BYTES = 64 << 20
"""Pixels of a time point from which a projection is worth an artifact: smaller ones are drawn as quickly as fetched."""
AT_ONCE = 4
"""Thumbnails fetched or built at the same time, and as many other pictures drawn. They have threads of their own: a
page that asks for a hundred thumbnails must not keep the list or an upload waiting, nor large pictures the thumbnails.
"""

WHEN_CHANGED = "when a file has changed, let the catalog know: coverslip add PATH"


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture and the ETag it is served with; ``data`` is ``None`` when the client has it already."""

    etag: str
    media_type: str
    data: bytes | None


class Pictures:
    """Finds, draws and keeps pictures.

    Parameters
    ----------
    catalog, builder
        Where images and their artifacts come from.
    files
        Opens images for what is no artifact.
    uses
        Told which artifacts are shown.
    build_seconds
        How long a request may take, be it that a thumbnail has to be built or another picture to be drawn.
    places
        Finds images without waiting, where there is such a thing. For the event loop alone.
    """

    def __init__(
        self,
        catalog: Catalog,
        builder: Builder,
        files: OpenFiles,
        uses: Uses,
        *,
        build_seconds: float,
        places: Places | None = None,
    ) -> None:
        self._catalog = catalog
        self._builder = builder
        self._build_seconds = build_seconds
        self._cache = ByteCache()
        self._drawing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._fetching = anyio.CapacityLimiter(AT_ONCE)
        self._at_work = anyio.CapacityLimiter(AT_ONCE)
        self._files = files
        self._uses = uses
        self._places = places

    async def get(
        self,
        image_id: str,
        spec: RenderSpec,
        media_type: MediaType,
        known: str | None,
        *,
        has_gone: HasGone = stays,
    ) -> Picture:
        """Return one picture of one image.

        Parameters
        ----------
        image_id
            Which image.
        spec
            What to show of it. The default one is the stored thumbnail; what is another kind of artifact is one
            where the image is large.
        media_type
            How to encode it.
        known
            The ``If-None-Match`` header of the request.
        has_gone
            Asked now and then while a picture is drawn; nobody goes on drawing for a client that has gone.

        Raises
        ------
        NotFoundError
            There is no such image.
        RegionError
            The image has no such slice, time point or channel.
        ReadError
            The file cannot be read.
        BuildError
            The picture could not be built or drawn, or not in time.
        """
        digest = spec.digest
        stored = BY_CHOICE.get(digest)
        if stored == THUMBNAIL or (stored is not None and await run_sync(self._is_large, image_id)):
            return await self._stored(stored, image_id, media_type, known)
        kind = media_type.removeprefix("image/")

        def draw(image: CanRead) -> bytes:
            return render.encode(render.draw(image, spec), media_type, at_once=True)

        name = f"{digest}-{DRAWING_VERSION}-{kind}"
        return await self.made(image_id, name, media_type, draw, known=known, has_gone=has_gone)

    async def made(
        self,
        image_id: str,
        name: str,
        media_type: str,
        make: Callable[[CanRead], bytes],
        *,
        known: str | None,
        has_gone: HasGone = stays,
    ) -> Picture:
        """Return anything that is made from the pixels of one image, kept and served like a picture.

        Parameters
        ----------
        image_id
            Which image.
        name
            Says what is made; part of the ETag. Another name for everything that would be other bytes.
        media_type
            Of the bytes.
        make
            Makes the bytes, in a thread. It is given up between two reads when the time is up.
        known
            The ``If-None-Match`` header of the request.
        has_gone
            Asked now and then meanwhile; nobody goes on for a client that has gone.

        Raises
        ------
        NotFoundError
            There is no such image.
        ReadError
            The file cannot be read.
        BuildError
            Not in time.
        CoverslipError
            Whatever ``make`` raises.
        """
        patience = Patience(time.monotonic() + self._build_seconds)
        found = self._look_up_at_once(image_id)
        if found is None:
            found = await run_sync(self._look_up, image_id)
        place, identity = found
        etag = f'"{identity.tag}-{place.index}-{name}"'
        if is_known(etag, known):
            return Picture(etag, media_type, None)
        key = f"{place.id} {etag}"
        lock = self._drawing.setdefault(key, asyncio.Lock())
        try:
            # several requests for one thing that is not there yet make it once
            async with watching(patience, has_gone), turn(lock, patience):
                data = self._cache.get(key)
                if data is None:
                    async with turn(self._at_work, patience):
                        data = await _in_thread(partial(self._make, place, identity, make, patience))
                    self._cache.put(key, data)
        except GivenUp as error:
            if patience.gone.is_set():
                raise ClientDisconnect from error
            raise BuildError(
                f"this picture is not drawn within {self._build_seconds:g} seconds (COVERSLIP_BUILD_SECONDS)"
            ) from error
        return Picture(etag, media_type, data)

    async def _stored(self, kind: str, image_id: str, media_type: MediaType, known: str | None) -> Picture:
        patience = Patience(time.monotonic() + self._build_seconds)
        artifact = await run_sync(self._builder.wanted, kind, image_id)
        if artifact.is_fresh(VERSIONS[kind]):
            etag = _stored_tag(artifact, media_type)
            data = self._cache.get(etag)
            if data is not None or is_known(etag, known):
                self._uses.note(artifact.id)
                return Picture(etag, media_type, None if is_known(etag, known) else data)
        async with turn(self._fetching, patience):
            artifact, made = await _in_thread(partial(self._built, kind, image_id, media_type, patience))
        self._uses.note(artifact.id)
        etag = _stored_tag(artifact, media_type)
        self._cache.put(etag, made)
        return Picture(etag, media_type, made)

    def _is_large(self, image_id: str) -> bool:
        meta = self._catalog.get_image(image_id).metadata
        return meta.get_memory_size_mb() * (1 << 20) / meta.size_t >= STORED_FROM_BYTES

    def _built(
        self, kind: str, image_id: str, media_type: MediaType, patience: Patience
    ) -> tuple[ArtifactRecord, bytes]:
        artifact, data = self._builder.read_artifact(kind, image_id, patience.seconds_left)
        if artifact.media_type != media_type:
            data = render.encode(_decode(data), media_type)
        return artifact, data

    def _look_up_at_once(self, image_id: str) -> tuple[ImagePlace, Identity] | None:
        """Return where an image is and what its file is now; ``None`` where that takes time, or there is none."""
        if self._places is None or self._places.refresh() is None:
            return None
        place = self._places.get(image_id)
        identity = None if place is None else self._files.identity_at_once(place.path, place.revision)
        return None if place is None or identity is None else (place, identity)

    def _look_up(self, image_id: str) -> tuple[ImagePlace, Identity]:
        place = self._catalog.place_of(image_id)
        return place, self._files.identity(place.path, place.revision)

    def _make(
        self, place: ImagePlace, identity: Identity, make: Callable[[CanRead], bytes], patience: Patience
    ) -> bytes:
        """Return what was made, or raise ``GivenUp`` between two reads when the patience is over."""
        with self._files.borrow(identity) as file:
            if place.index >= len(file.images):
                raise ReadError(f"{place.path}: image {place.index + 1} of the file is gone; {WHEN_CHANGED}")
            return make(InterruptibleImage(file.images[place.index], patience.is_over))


async def _in_thread[T](make: Callable[[], T]) -> T:
    """Return ``make()``, run in a thread that no other request needs; whoever calls has had a turn."""
    return await run_sync(make, limiter=anyio.CapacityLimiter(1))


def negotiate(accept: str | None) -> MediaType:
    """Return the kind of picture an ``Accept`` header asks for: PNG unless it prefers WebP or JPEG.

    A type that is named beats one that only a wildcard allows (RFC 9110, 12.5.1); PNG wins a tie. A header that
    allows none of them gets PNG all the same.
    """
    wishes = [_wish(part) for part in (accept or "").split(",")]

    def preference(media_type: str) -> tuple[float, bool]:
        named = [quality for name, quality in wishes if name == media_type]
        allowed = [quality for name, quality in wishes if name in ("image/*", "*/*")]
        return (max(named), True) if named else (max(allowed, default=0.0), False)

    best = max(render.MEDIA_TYPES, key=preference)
    return best if preference(best)[0] > 0 else "image/png"


def _wish(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    texts = [value.removeprefix("q=") for value in parameters if value.startswith("q=")]
    is_number = texts and re.fullmatch(r"[01](\.\d{0,3})?", texts[0])
    return name, float(texts[0]) if is_number else 1.0


def is_known(etag: str, known: str | None) -> bool:
    """Return whether an ``If-None-Match`` header names the ETag (weak comparison, RFC 9110, 13.1.2)."""
    if known is None:
        return False
    return known.strip() == "*" or etag in re.findall(r'"[^"]*"', known)


def _stored_tag(artifact: ArtifactRecord, media_type: MediaType) -> str:
    suffix = "" if artifact.media_type == media_type else "-" + media_type.removeprefix("image/")
    return f'"{artifact.etag}{suffix}"'


def _decode(data: bytes) -> NDArray[np.uint8]:
    """Return a stored picture as uint8, shape Y, X, 3: red, green, blue."""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise StorageError("a stored picture is none; the storage is damaged")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
