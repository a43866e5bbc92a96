"""Artifacts as pictures: fetched from the storage, built first when they are stale."""

import time
from functools import partial

import anyio
import cv2
import numpy as np
from anyio.to_thread import run_sync
from numpy.typing import NDArray

from coverslip import render
from coverslip.api.kept import ByteCache, Picture, in_thread, is_known
from coverslip.api.patience import Patience, turn
from coverslip.derive import Builder, Uses, previous
from coverslip.errors import StorageError
from coverslip.model.records import ArtifactRecord
from coverslip.model.render import MediaType

AT_ONCE = 4
"""Artifacts fetched or built at the same time. They have threads of their own: a page that asks for a hundred
thumbnails must not keep the list or an upload waiting."""


class StoredPictures:
    """Serves artifacts that are pictures.

    Parameters
    ----------
    builder
        Where artifacts come from.
    uses
        Told which ones are shown.
    cache
        Keeps those that were shown lately.
    build_seconds
        How long a request may take, its waiting for a turn and a build included.
    """

    def __init__(self, builder: Builder, uses: Uses, cache: ByteCache, *, build_seconds: float) -> None:
        self._builder = builder
        self._uses = uses
        self._cache = cache
        self._build_seconds = build_seconds
        self._fetching = anyio.CapacityLimiter(AT_ONCE)

    async def get(
        self,
        kind: str,
        image_id: str,
        media_type: MediaType,
        known: str | None,
        *,
        annotation_id: str | None = None,
        allows_stale: bool = False,
    ) -> Picture:
        """Return an artifact.

        Parameters
        ----------
        kind, image_id, annotation_id
            Which one.
        media_type
            How to encode it.
        known
            The ``If-None-Match`` header of the request.
        allows_stale
            Whether the previous one will do while it is stale; only where its kind permits that.

        Raises
        ------
        NotFoundError
            There is no such image, annotation or kind.
        BuildError
            It could not be built, or not in time.
        CatalogError, StorageError
            The catalog or the storage does not answer.
        """
        patience = Patience(time.monotonic() + self._build_seconds)
        artifact = await run_sync(self._builder.wanted, kind, image_id, annotation_id)
        is_fresh = artifact.is_fresh(self._builder.versions[kind])
        if is_fresh:
            etag = _tag(artifact, media_type)
            data = self._cache.get(etag)
            if data is not None or is_known(etag, known):
                self._uses.note(artifact.id)
                return Picture(etag, media_type, None if is_known(etag, known) else data)
        elif allows_stale and self._builder.kinds[kind].allows_stale:
            artifact, old = await in_thread(partial(self._previous, artifact, media_type))
            if old is not None:
                etag = _tag(artifact, media_type)
                return Picture(etag, media_type, None if is_known(etag, known) else old, is_stale=True)
        async with turn(self._fetching, patience):
            artifact, made = await in_thread(partial(self._built, kind, image_id, annotation_id, media_type, patience))
        self._uses.note(artifact.id)
        etag = _tag(artifact, media_type)
        self._cache.put(etag, made)
        return Picture(etag, media_type, made)

    def _built(
        self, kind: str, image_id: str, annotation_id: str | None, media_type: MediaType, patience: Patience
    ) -> tuple[ArtifactRecord, bytes]:
        artifact, data = self._builder.read_artifact(kind, image_id, patience.seconds_left, annotation_id)
        return artifact, _encoded(artifact, data, media_type)

    def _previous(self, artifact: ArtifactRecord, media_type: MediaType) -> tuple[ArtifactRecord, bytes | None]:
        artifact, data = previous(self._builder.catalog, self._builder.storage, artifact)
        return artifact, None if data is None else _encoded(artifact, data, media_type)


def _tag(artifact: ArtifactRecord, media_type: MediaType) -> str:
    suffix = "" if artifact.media_type == media_type else "-" + media_type.removeprefix("image/")
    return f'"{artifact.etag}{suffix}"'


def _encoded(artifact: ArtifactRecord, data: bytes, media_type: MediaType) -> bytes:
    return data if artifact.media_type == media_type else render.encode(_decode(data), media_type)


def _decode(data: bytes) -> NDArray[np.uint8]:
    """Return a stored picture as uint8, shape Y, X, 3: red, green, blue."""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise StorageError("a stored picture is none; the storage is damaged")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
