"""Annotations of depositions as Neuroglancer reads them: the files in what was precomputed, read by ranges."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

import anyio
from anyio.to_thread import run_sync

from coverslip.api.kept import in_thread
from coverslip.api.patience import Patience, turn
from coverslip.derive import Builder, Uses, kind_of_shape
from coverslip.errors import NotFoundError
from coverslip.model.records import ArtifactRecord
from coverslip.neuroglancer.precomputed import Packed

KEPT_BYTES = 256 << 20
"""Of open archives. The latest one is kept even if it is larger by itself: a viewer reads it piece by piece."""
BUILT_AT_ONCE = 4
READ_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Opened:
    """What was precomputed, and the ETag of everything in it."""

    etag: str
    files: Packed


class Archives:
    """The archives that were used last, by the key of their content. Safe from any number of threads.

    Parameters
    ----------
    limit
        Bytes they may have together.
    """

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[Packed, int]] = OrderedDict()
        self.size = 0

    def get(self, key: str) -> Packed | None:
        """Return the archive under a key, or ``None``."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def put(self, key: str, data: bytes) -> Packed:
        """Return an archive, and keep it, letting go of those not used for longest.

        Raises
        ------
        ReadError
            It is damaged.
        """
        packed = Packed(data)
        with self._lock:
            self.size += len(data) - self._kept.pop(key, (packed, 0))[1]
            self._kept[key] = (packed, len(data))
            while self.size > self._limit and len(self._kept) > 1:
                self.size -= self._kept.popitem(last=False)[1][1]
        return packed


class Precomputes:
    """Finds, builds and opens what is precomputed of annotations.

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
        self._archives = Archives()
        self._building = anyio.CapacityLimiter(BUILT_AT_ONCE)
        self._reading = anyio.CapacityLimiter(READ_AT_ONCE)

    async def open(self, entity_id: int, suffix: str) -> Opened:
        """Return one shape of an annotation, built first where it is not there or stale.

        Parameters
        ----------
        entity_id
            Public number of the annotation.
        suffix
            The shape in small letters, as ``sources.Served`` names it: ``orientedpoint``, ``orientedmesh`` ...

        Raises
        ------
        NotFoundError
            There is no such annotation, it has no such shape, or no image shows it.
        BuildError
            It could not be built, or not in time.
        CatalogError, StorageError
            The catalog or the storage does not answer.
        ReadError
            What is stored is damaged.
        """
        patience = Patience(time.monotonic() + self._build_seconds)
        kind, image_id, entity_id, artifact = await run_sync(self._look_up, entity_id, suffix, limiter=self._reading)
        if artifact.is_fresh(self._builder.versions[kind]) and artifact.key is not None:
            packed = self._archives.get(artifact.key)
            if packed is not None:
                self._uses.note(artifact.id)
                return Opened(f'"{artifact.etag}"', packed)
        async with turn(self._building, patience):
            artifact, built = await in_thread(partial(self._built, kind, image_id, entity_id, patience))
        self._uses.note(artifact.id)
        return Opened(f'"{artifact.etag}"', built)

    async def read(self, opened: Opened, path: str, start: int, stop: int) -> bytes:
        """Return some bytes of a file.

        Raises
        ------
        NotFoundError
            There is no such file.
        ReadError
            The archive is damaged here.
        """
        return await run_sync(opened.files.read, path, start, stop, limiter=self._reading)

    def _look_up(self, entity_id: int, suffix: str) -> tuple[str, str, int, ArtifactRecord]:
        catalog = self._builder.catalog
        entity = catalog.entity(entity_id)
        entity_id = entity.id  # another one where a duplicate became part of it
        shapes = {file.shape.lower(): file.shape for file in entity.files if file.shape}
        kind = kind_of_shape(suffix)
        if suffix not in shapes or kind not in self._builder.kinds:
            there = ", ".join(sorted(one for one in shapes if kind_of_shape(one) in self._builder.kinds))
            raise NotFoundError(
                f"{entity.type} {entity_id} has no {suffix[:100]!r}; it has {there or 'nothing to show'}"
            )
        images = catalog.images_showing([entity_id]).get(entity_id)
        if not images:
            raise NotFoundError(f"no tomogram in the catalog shows {entity.type} {entity_id}")
        return kind, images[0], entity_id, self._builder.wanted(kind, images[0], None, entity_id)

    def _built(self, kind: str, image_id: str, entity_id: int, patience: Patience) -> tuple[ArtifactRecord, Packed]:
        artifact, data = self._builder.read_artifact(kind, image_id, patience.seconds_left, None, entity_id)
        assert artifact.key is not None, "what was read has a name"
        return artifact, self._archives.get(artifact.key) or self._archives.put(artifact.key, data)
