"""Viewer states: the artifact, built when it is asked for, and the views that people kept of it."""

import json
import time
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import anyio
from anyio.to_thread import run_sync

from coverslip.api.kept import in_thread, is_known
from coverslip.api.patience import Patience, turn
from coverslip.derive import NEUROGLANCER_STATE, Builder, Uses, current, previous
from coverslip.model.entities import SavedView
from coverslip.model.records import ArtifactRecord
from coverslip.neuroglancer import entities_of, place, renumbered, to_bytes, with_edits, with_origin

AT_ONCE = 4
"""States built or fetched at the same time."""


@dataclass(frozen=True, slots=True)
class FoundState:
    """A state as it goes out; ``data`` is ``None`` where the client has it."""

    etag: str
    data: bytes | None
    is_stale: bool = False


class ViewerStates:
    """Serves the viewer states of images.

    Parameters
    ----------
    builder
        Where artifacts come from.
    uses
        Told which ones are shown.
    build_seconds
        How long a request may take, its waiting for a turn and a build included.
    """

    def __init__(self, builder: Builder, uses: Uses, *, build_seconds: float) -> None:
        self._builder = builder
        self._uses = uses
        self._build_seconds = build_seconds
        self._at_work = anyio.CapacityLimiter(AT_ONCE)

    async def of_image(
        self, image_id: str, origin: str, *, known: str | None = None, allows_stale: bool = False
    ) -> FoundState:
        """Return the state of an image, for a server at ``origin``.

        Parameters
        ----------
        image_id
            Which image.
        origin
            Address of the server.
        known
            The ``If-None-Match`` header of the request.
        allows_stale
            Whether the previous one will do while it is stale.

        Raises
        ------
        NotFoundError
            There is no such image.
        InvalidRequestError
            The origin is none.
        BuildError
            It could not be built, or not in time.
        CatalogError, StorageError
            The catalog or the storage does not answer.
        """
        artifact = await run_sync(self._builder.wanted, NEUROGLANCER_STATE, image_id)
        is_fresh = artifact.is_fresh(self._builder.versions[NEUROGLANCER_STATE])
        if is_fresh and is_known(_tag(artifact.etag, origin), known):
            self._uses.note(artifact.id)
            return FoundState(_tag(artifact.etag, origin), None)
        if not is_fresh and allows_stale:
            artifact, old = await in_thread(partial(previous, self._builder.catalog, self._builder.storage, artifact))
            if old is not None:
                return FoundState(_tag(artifact.etag, origin), with_origin(old, origin), is_stale=True)
        artifact, data = await self._built(image_id)
        etag = _tag(artifact.etag, origin)
        return FoundState(etag, None if is_known(etag, known) else with_origin(data, origin))

    async def now(self, image_id: str) -> dict[str, Any]:
        """Return the present state of an image, with ``sources.ORIGIN`` for the server; raises as ``of_image``."""
        _, data = await self._built(image_id)
        state: dict[str, Any] = json.loads(data)
        return state

    async def of_view(self, view: SavedView, origin: str, *, known: str | None = None) -> FoundState:
        """Return the state of a view that was kept: its own where it is frozen, else the present one with its edits.

        Where it names a record that became part of another one, it shows that one. Raises as ``of_image``.
        """
        kept = view.state
        if named := entities_of(kept):
            stayed = await run_sync(self._builder.catalog.survivors, named)
            kept = renumbered(kept, stayed) if stayed else kept
        state = kept if view.is_frozen else with_edits(await self.now(view.image_id), kept)
        data = to_bytes(place(state, origin))
        etag = f'"{sha256(data).hexdigest()[:32]}"'
        return FoundState(etag, None if is_known(etag, known) else data)

    async def _built(self, image_id: str) -> tuple[ArtifactRecord, bytes]:
        patience = Patience(time.monotonic() + self._build_seconds)
        await run_sync(self._builder.wanted, NEUROGLANCER_STATE, image_id)
        read = partial(current, self._builder.catalog, self._builder.storage, NEUROGLANCER_STATE, image_id)
        artifact, data = await in_thread(read)  # what is there does not wait for what others build
        if data is not None:
            self._uses.note(artifact.id)
            return artifact, data
        async with turn(self._at_work, patience):
            artifact, built = await in_thread(partial(self._build, image_id, patience))
        self._uses.note(artifact.id)
        return artifact, built

    def _build(self, image_id: str, patience: Patience) -> tuple[ArtifactRecord, bytes]:
        return self._builder.read_artifact(NEUROGLANCER_STATE, image_id, patience.seconds_left)


def _tag(etag: str | None, origin: str) -> str:
    return f'"{etag}-{sha256(origin.encode()).hexdigest()[:8]}"'
