"""Pictures of images: the stored thumbnail, and others drawn when asked for. Each has an ETag that needs no pixels."""

import asyncio
import re
import time
from collections.abc import Callable
from functools import partial
from weakref import WeakValueDictionary

import anyio
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect

from coverslip import render
from coverslip.api.kept import ByteCache, Picture, in_thread, is_known
from coverslip.api.open_files import Identity, OpenFiles
from coverslip.api.patience import HasGone, Patience, stays, turn, watching
from coverslip.api.stored import StoredPictures
from coverslip.catalog import Catalog
from coverslip.catalog.places import Places
from coverslip.derive import BY_CHOICE, Builder, GivenUp, InterruptibleImage, Uses
from coverslip.errors import BuildError, ReadError
from coverslip.model import CanRead, RenderSpec
from coverslip.model.records import ImagePlace
from coverslip.model.render import MediaType

ALWAYS_STORED = ("thumbnail", "key-image")
"""Kinds that are artifacts of small images too."""
DRAWING_VERSION = 3
"""Raise it when ``render`` draws the same choice differently."""
STORED_FROM_BYTES = 64 << 20
"""Pixels of a time point from which a projection is worth an artifact: smaller ones are drawn as quickly as fetched."""
AT_ONCE = 4
"""Pictures drawn at the same time, in threads of their own: large ones must not keep the stored ones waiting."""

WHEN_CHANGED = "when a file has changed, let the catalog know: coverslip add PATH"


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
        self._build_seconds = build_seconds
        self._cache = ByteCache()
        self.stored = StoredPictures(builder, uses, self._cache, build_seconds=build_seconds)
        self._drawing: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
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
        if stored is not None and (stored in ALWAYS_STORED or await run_sync(self._is_large, image_id)):
            return await self.stored.get(stored, image_id, media_type, known)
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
                        data = await in_thread(partial(self._make, place, identity, make, patience))
                    self._cache.put(key, data)
        except GivenUp as error:
            if patience.gone.is_set():
                raise ClientDisconnect from error
            raise BuildError(
                f"this picture is not drawn within {self._build_seconds:g} seconds (COVERSLIP_BUILD_SECONDS)"
            ) from error
        return Picture(etag, media_type, data)

    def _is_large(self, image_id: str) -> bool:
        meta = self._catalog.get_image(image_id).metadata
        return meta.get_memory_size_mb() * (1 << 20) / meta.size_t >= STORED_FROM_BYTES

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
