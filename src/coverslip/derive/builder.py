"""Builds artifacts: each change once, whoever asks, and never loses one."""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Literal

from coverslip.catalog import Catalog
from coverslip.derive.kinds import KINDS, Kind
from coverslip.derive.serving import current
from coverslip.derive.sources import GivenUp, open_source
from coverslip.errors import (
    BuildError,
    BusyError,
    CatalogError,
    CoverslipError,
    ImageLoadError,
    NotFoundError,
    StorageError,
)
from coverslip.jobs import Heartbeat, KeyedLocks, run_workers
from coverslip.model.records import ArtifactRecord, Built, Claim
from coverslip.readers import ImageFile, open_image
from coverslip.sources import locate
from coverslip.storage import Storage, put_content

log = logging.getLogger(__name__)

FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 5.0, 3600.0
EXPLICIT_RETRY_SECONDS = 2.0
"""A person who asks for a picture does not wait for the back-off, but a damaged file is not opened more often."""

IDLE_SECONDS = 2.0
"""How often a worker that hears of nothing looks for changes made by other processes."""

POLL_SECONDS = (0.05, 0.25)
"""First and longest pause between two looks at an artifact that another process builds."""

DAY_SECONDS = 24 * 3600.0
"""How old unfinished work in the storage must be to be abandoned, and how often somebody looks for it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one claim."""

    claim: Claim
    state: Literal["built", "failed", "lost", "released"]
    """``lost``: somebody else holds the claim now. ``released``: given back unfinished, not counted as a failure."""
    error: str | None = None
    cause: Exception | None = None


def retry_delay(attempts: int) -> float:
    """Return how many seconds to wait after a failure that ``attempts`` others came before: 5, 10, 20 ... 3600."""
    return min(FIRST_RETRY_SECONDS * 2.0 ** min(attempts, 32), LONGEST_RETRY_SECONDS)


def explain(error: Exception) -> str:
    """Return what to write down about a failure: our own sentence, or the type and words of a stranger's."""
    words = str(error).strip()
    if isinstance(error, CoverslipError) and words:
        return words
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


class Builder:
    """Claims stale artifacts, builds and publishes them. Safe to use from any number of threads.

    Parameters
    ----------
    catalog
        Knows what is stale and who builds it.
    storage
        Where artifacts go.
    lease_seconds
        How long a claim outlives its builder.
    kinds
        The recipes.
    locate
        Turns the path or address of an image into a path that can be opened.
    """

    def __init__(
        self,
        catalog: Catalog,
        storage: Storage,
        *,
        lease_seconds: float,
        kinds: Mapping[str, Kind] = KINDS,
        open_file: Callable[[Path], ImageFile] = open_image,
        locate: Callable[[str], Path] = locate,
    ) -> None:
        self._catalog = catalog
        self._storage = storage
        self._lease = lease_seconds
        self._kinds = kinds
        self._open_file = open_file
        self._locate = locate
        self._versions = {name: kind.version for name, kind in kinds.items()}
        self._asked = KeyedLocks()

    def build_next(
        self, image_id: str | None = None, *, should_stop: Callable[[], bool] = lambda: False
    ) -> Outcome | None:
        """Build the artifact that has been stale for longest; ``None`` when there is none to build now.

        Parameters
        ----------
        image_id
            Only artifacts of this image.
        should_stop
            Asked between two reads; when true the claim is given back.

        Raises
        ------
        CatalogError
            The catalog does not answer.
        """
        claims = self._catalog.claim(self._versions, lease_seconds=self._lease, image_id=image_id)
        return self._build(claims[0], should_stop) if claims else None

    def wanted(self, kind: str, image_id: str) -> ArtifactRecord:
        """Return how an artifact stands; one that the image does not have yet is wanted from now on.

        Raises
        ------
        NotFoundError
            There is no such image or kind.
        """
        if kind not in self._kinds:
            raise NotFoundError(f"{kind!r}: there is no such kind of artifact; there are {', '.join(self._kinds)}")
        try:
            return self._catalog.artifact(kind, image_id)
        except NotFoundError:
            self._catalog.want(kind, image_id)
            return self._catalog.artifact(kind, image_id)

    def ensure(self, kind: str, image_id: str, seconds: float) -> ArtifactRecord:
        """Return an artifact that has seen every change, built in this thread if nobody else is building it.

        Any number of callers, in any number of processes, cause one build. A build that takes longer than this
        call may is left to the workers.

        Parameters
        ----------
        kind, image_id
            Which artifact.
        seconds
            How long it may take.

        Raises
        ------
        NotFoundError
            There is no such image or kind.
        BuildError
            The time is up, or the build failed (now, or less than two seconds ago).
        CatalogError
            The catalog does not answer.
        """
        deadline = time.monotonic() + seconds
        record = self.wanted(kind, image_id)
        if self._is_fresh(record):
            return record
        with self._asked.hold((kind, image_id), seconds) as held:
            if held:
                return self._build_until(kind, image_id, deadline)
        raise _not_in_time(kind, image_id)

    def read_artifact(self, kind: str, image_id: str, seconds: float) -> tuple[ArtifactRecord, bytes]:
        """Return an artifact that has seen every change and its bytes; what is gone from the storage is built again.

        Raises
        ------
        NotFoundError
            There is no such image or kind.
        BuildError
            The time is up, or the build failed.
        CatalogError, StorageError
            The catalog or the storage does not answer.
        """
        deadline = time.monotonic() + seconds
        self.wanted(kind, image_id)
        while True:
            record, data = current(self._catalog, self._storage, kind, image_id, versions=self._versions)
            if data is not None:
                return record, data
            self.ensure(kind, image_id, deadline - time.monotonic())

    def run(self, threads: int, should_stop: threading.Event, wake: threading.Event | None = None) -> None:
        """Build what becomes stale until ``should_stop`` is set; then claims are given back within one read.

        Parameters
        ----------
        threads
            Artifacts built at the same time.
        should_stop
            Ends it.
        wake
            Set by whoever has made something stale.
        """
        # a thread of its own that nobody waits for: a sweep lists everything, which takes minutes in a large bucket
        threading.Thread(target=self._sweep_daily, args=(should_stop,), name="storage sweep", daemon=True).start()
        run_workers(
            lambda: self.build_next(should_stop=should_stop.is_set) is not None,
            threads=threads,
            should_stop=should_stop,
            idle_seconds=IDLE_SECONDS,
            wake=wake,
        )

    def _sweep_daily(self, should_stop: threading.Event) -> None:
        while not should_stop.is_set():
            try:
                self._storage.sweep(DAY_SECONDS)
            except StorageError as error:
                log.warning("abandoned files of killed processes could not be removed: %s", error)
            should_stop.wait(DAY_SECONDS)

    def _build_until(self, kind: str, image_id: str, deadline: float) -> ArtifactRecord:
        """Build, or wait for whoever builds; the caller is the only one of this process to do so."""
        pause, longest = POLL_SECONDS
        while True:
            record = self._catalog.artifact(kind, image_id)
            if self._is_fresh(record):
                return record
            self._refuse_so_soon(record)
            if time.monotonic() >= deadline:
                raise _not_in_time(kind, image_id)
            claims = self._catalog.claim(
                {kind: self._versions[kind]}, lease_seconds=self._lease, image_id=image_id, ignore_backoff=True
            )
            if claims:
                self._raise_failure(self._build(claims[0], lambda: time.monotonic() >= deadline))
            else:
                self._refuse_missing(image_id)
                time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
                pause = min(2 * pause, longest)

    def _build(self, claim: Claim, should_stop: Callable[[], bool]) -> Outcome:
        """Build what was claimed. The one place where any exception at all becomes a row in the catalog."""
        beat = partial(self._catalog.heartbeat, claim, self._lease)
        heartbeat = Heartbeat(claim.artifact_id, beat, self._lease / 3)
        try:
            with heartbeat:
                built = self._make(claim, lambda: heartbeat.lost or should_stop())
        except GivenUp:
            self._catalog.release(claim)
            return Outcome(claim, "lost" if heartbeat.lost else "released")
        except CatalogError:
            raise  # nothing can be written down now; the lease runs out by itself
        except Exception as error:  # noqa: BLE001  whatever a recipe or library raises is this artifact's failure
            return self._failed(claim, error)
        except BaseException:
            self._catalog.release(claim)
            raise
        return Outcome(claim, "built" if self._catalog.finish(claim, built) else "lost")

    def _make(self, claim: Claim, must_stop: Callable[[], bool]) -> Built:
        """Return what was published. ``claim.seen`` was noted before anything is read here: later changes count."""
        kind = self._kinds[claim.kind]
        try:
            record = self._catalog.get_image(claim.image_id)
        except NotFoundError as error:
            raise GivenUp from error
        data = kind.build(record, lambda: open_source(record, must_stop, self._open_file, self._locate))
        if must_stop():
            raise GivenUp
        key, etag = put_content(self._storage, kind.name, data, kind.suffix)
        return Built(key=key, etag=etag, media_type=kind.media_type, size=len(data), version=kind.version)

    def _failed(self, claim: Claim, error: Exception) -> Outcome:
        reason = explain(error)
        if isinstance(error, CoverslipError):
            log.info("%s of image %s: %s", claim.kind, claim.image_id, reason)
        else:
            log.error("%s of image %s: %s", claim.kind, claim.image_id, reason, exc_info=error)
        kept = self._catalog.fail(claim, reason, retry_delay(claim.attempts))
        return Outcome(claim, "failed" if kept else "lost", reason, error)

    def _raise_failure(self, outcome: Outcome) -> None:
        """Answer with the reason of a failure, unless the source changed meanwhile: then it says nothing any more."""
        claim, reason = outcome.claim, outcome.error
        if outcome.state != "failed" or reason is None:
            return
        if self._catalog.artifact(claim.kind, claim.image_id).wanted == claim.seen:
            is_lasting = isinstance(outcome.cause, ImageLoadError) and not isinstance(outcome.cause, BusyError)
            raise BuildError(reason, retryable=not is_lasting) from outcome.cause

    def _is_fresh(self, record: ArtifactRecord) -> bool:
        return record.is_fresh(self._versions[record.kind])

    def _refuse_so_soon(self, record: ArtifactRecord) -> None:
        """Answer with the reason of a failure that happened just now instead of trying again."""
        if record.error is None or record.next_try_at is None or record.attempts == 0:
            return
        failed_at = record.next_try_at - timedelta(seconds=retry_delay(record.attempts - 1))
        if self._catalog.now() - failed_at < timedelta(seconds=EXPLICIT_RETRY_SECONDS):
            raise BuildError(record.error, retryable=False)

    def _refuse_missing(self, image_id: str) -> None:
        """Do not wait for what nobody can build: the catalog gives no claim on images without a file."""
        image = self._catalog.get_image(image_id)
        if image.missing_since is not None:
            raise BuildError(
                f"{image.path}: the file is missing since {image.missing_since:%Y-%m-%d %H:%M} UTC. "
                f"When it is back, let the catalog know: coverslip add {image.path}",
                retryable=False,
            )


def _not_in_time(kind: str, image_id: str) -> BuildError:
    return BuildError(f"the {kind} of image {image_id} is not built yet; ask again in a moment")
