"""Builds artifacts: each change once, whoever asks, and never loses one."""

import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from coverslip.catalog import Catalog
from coverslip.derive.held import HeldClaims, Pace
from coverslip.derive.kind import Inputs, Kind, Subject, by_name, dependents_of, depths_of
from coverslip.derive.kinds import KINDS
from coverslip.derive.metrics import BuildMetrics
from coverslip.derive.needed import Needed, gather, subject_of, subjects_of
from coverslip.derive.outcome import (
    Lasting,
    Outcome,
    explain,
    is_lasting,
    name_of,
    not_in_time,
    refuse_missing,
    refuse_so_soon,
    retry_delay,
)
from coverslip.derive.serving import current
from coverslip.derive.sources import GivenUp, open_source
from coverslip.errors import BuildError, CatalogError, CoverslipError, NotFoundError
from coverslip.jobs import KeyedLocks
from coverslip.model.records import ArtifactRecord, Built, Claim
from coverslip.readers import ImageFile, open_image
from coverslip.sources import locate
from coverslip.storage import Storage, put_content

log = logging.getLogger(__name__)

POLL_SECONDS = (0.05, 0.25)
"""First and longest pause between two looks at an artifact that another process builds."""


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
    open_file
        Opens the files of images.
    locate
        Turns what the catalog holds into a path that can be opened.
    pace
        How many artifacts are claimed at once.
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
        pace: Pace | None = None,
    ) -> None:
        self.catalog = catalog
        self.kinds: Mapping[str, Kind] = by_name(kinds.values())
        self.versions: Mapping[str, int] = {name: kind.version for name, kind in kinds.items()}
        self.storage = storage
        self._lease = lease_seconds
        self._open_file = open_file
        self._locate = locate
        self._dependents = dependents_of(kinds)
        self._depths = depths_of(self.kinds)
        self._pace = pace or Pace()
        self._asked = KeyedLocks()
        self._lasting = Lasting()
        self.metrics = BuildMetrics()

    def build_some(
        self,
        limit: int | None = None,
        *,
        image_id: str | None = None,
        except_images: Collection[str] = (),
        should_stop: Callable[[], bool] = lambda: False,
    ) -> list[Outcome]:
        """Build a few artifacts, those that have been stale for longest; none when there are none to build now.

        One while builds are long, and as many as take about a tenth of a second while they are quick: a transaction
        costs more than a small picture.

        Parameters
        ----------
        limit
            How many at most.
        image_id
            Only artifacts of this image and its annotations.
        except_images
            None of these, a few.
        should_stop
            Asked between two builds and two reads; when true, what is not built is given back.

        Raises
        ------
        CatalogError
            The catalog does not answer.
        """
        number = self._pace.number if limit is None else min(limit, self._pace.number)
        claims = self.catalog.claim(
            self.versions, lease_seconds=self._lease, limit=number, image_id=image_id, except_images=except_images
        )
        return self.build_claimed(claims, should_stop)

    def build_next(
        self, image_id: str | None = None, *, should_stop: Callable[[], bool] = lambda: False
    ) -> Outcome | None:
        """Build the artifact that has been stale for longest, as ``build_some`` does; ``None`` when there is none."""
        outcomes = self.build_some(1, image_id=image_id, should_stop=should_stop)
        return outcomes[0] if outcomes else None

    def build_artifact(
        self, artifact_id: str, *, should_stop: Callable[[], bool] = lambda: False, ignore_backoff: bool = False
    ) -> Outcome | None:
        """Build one artifact, unless it is fresh, somebody else builds it, or (by default) it failed just now.

        Parameters
        ----------
        artifact_id
            Which one; one that does not exist (any more) needs no build.
        should_stop
            Asked between two reads; when true the claim is given back.
        ignore_backoff
            Build it although it failed a short time ago, or its failure is ignored.

        Raises
        ------
        CatalogError
            The catalog does not answer.
        """
        claims = self.catalog.claim(
            self.versions, lease_seconds=self._lease, artifact_ids=[artifact_id], ignore_backoff=ignore_backoff
        )
        outcomes = self.build_claimed(claims, should_stop)
        return outcomes[0] if outcomes else None

    def wanted(
        self, kind: str, image_id: str, annotation_id: str | None = None, entity_id: int | None = None
    ) -> ArtifactRecord:
        """Return how an artifact stands; one that there is not yet is wanted from now on.

        Raises
        ------
        NotFoundError
            There is no such image, annotation, entity or kind.
        """
        of = "entity" if entity_id is not None else "image" if annotation_id is None else "annotation"
        known = [name for name, one in self.kinds.items() if one.of == of]
        if kind not in known:
            raise NotFoundError(f"{kind!r}: there is no such kind of artifact; of an {of} there are {', '.join(known)}")
        try:
            return self.catalog.artifact(kind, image_id, annotation_id, entity_id)
        except NotFoundError:
            self.catalog.want(kind, image_id, annotation_id, entity_id)
            return self.catalog.artifact(kind, image_id, annotation_id, entity_id)

    def ensure(
        self,
        kind: str,
        image_id: str,
        seconds: float,
        annotation_id: str | None = None,
        entity_id: int | None = None,
    ) -> ArtifactRecord:
        """Return an artifact that has seen every change, built in this thread if nobody else is building it.

        Any number of callers, in any number of processes, cause one build. A build that takes longer than this
        call may is left to the workers.

        Parameters
        ----------
        kind, image_id, annotation_id, entity_id
            Which artifact; that of an entity goes along with any image that shows it.
        seconds
            How long it may take.

        Raises
        ------
        NotFoundError
            There is no such image, annotation or kind.
        BuildError
            The time is up, or the build failed (now, or less than two seconds ago).
        CatalogError
            The catalog does not answer.
        """
        deadline = time.monotonic() + seconds
        record = self.wanted(kind, image_id, annotation_id, entity_id)
        if self._is_fresh(record):
            return record
        with self._asked.hold((kind, image_id, annotation_id, entity_id), seconds) as held:
            if held:
                return self.build_until(record, lambda: time.monotonic() >= deadline)
        raise not_in_time(record)

    def read_artifact(
        self,
        kind: str,
        image_id: str,
        seconds: float,
        annotation_id: str | None = None,
        entity_id: int | None = None,
    ) -> tuple[ArtifactRecord, bytes]:
        """Return an artifact that has seen every change and its bytes; what is gone from the storage is built again.

        Raises
        ------
        NotFoundError, BuildError
            As for ``ensure``.
        CatalogError, StorageError
            The catalog or the storage does not answer.
        """
        deadline = time.monotonic() + seconds
        whose = (annotation_id, entity_id)
        self.wanted(kind, image_id, *whose)
        while True:
            record, data = current(self.catalog, self.storage, kind, image_id, *whose, versions=self.versions)
            if data is not None:
                return record, data
            self.ensure(kind, image_id, deadline - time.monotonic(), *whose)

    def build_claimed(self, claims: Sequence[Claim], should_stop: Callable[[], bool] = lambda: False) -> list[Outcome]:
        """Build what was claimed, one after the other, what others need before those; what is not begun is given back.

        Parameters
        ----------
        claims
            From ``Catalog.claim``; used up by this call.
        should_stop
            As for ``build_some``.
        """
        if not claims:
            return []
        started, outcomes = time.monotonic(), list[Outcome]()
        with HeldClaims(self.catalog, self._in_order(claims), self._lease, self._dependents) as held:
            subjects = subjects_of(self.catalog, claims)
            while not should_stop() and (claim := held.next()) is not None:
                begun = time.monotonic()
                outcome = self._build(held, claim, subjects.get(claim.artifact_id), should_stop)
                outcomes.append(replace(outcome, seconds=time.monotonic() - begun))
        self._pace.note(len(outcomes), time.monotonic() - started)
        outcomes = [held.settled(outcome) for outcome in outcomes]
        for outcome in outcomes:
            self.metrics.record(outcome)
        return outcomes

    def _build(
        self, held: HeldClaims, claim: Claim, subject: Subject | None, should_stop: Callable[[], bool]
    ) -> Outcome:
        """Build one artifact. The one place where any exception at all becomes a row in the catalog."""
        try:
            if subject is None:
                raise GivenUp
            held.built(*self._make(held, claim, subject, lambda: held.is_lost or should_stop()))
        except GivenUp:
            held.give_back(claim)
            return Outcome(claim, "lost" if held.is_lost else "released")
        except CatalogError:
            raise  # nothing can be written down now; the lease runs out by itself
        except Exception as error:  # noqa: BLE001  whatever a recipe or library raises is this artifact's failure
            return self._failed(held, claim, error)
        return Outcome(claim, "built")

    def _make(
        self, held: HeldClaims, claim: Claim, subject: Subject, must_stop: Callable[[], bool]
    ) -> tuple[Claim, Built]:
        """Return what was published, and the claim with what it has seen, noted before anything is read."""
        kind = self.kinds[claim.kind]
        needed = Needed()
        if kind.needs or kind.follows:
            held.write()  # what it needs may have been built just before
            claim, needed = gather(self, claim, kind, must_stop)
            subject = subject_of(self.catalog, claim)
        source = partial(open_source, subject.image, must_stop, self._open_file, self._locate, self.catalog.distrust)
        about = (self.catalog, self._locate, self._open_file)
        data = kind.build(subject, Inputs(source, needed.artifacts, needed.of_entities, *about))
        if must_stop():
            raise GivenUp
        key, etag = put_content(self.storage, kind.name, data, kind.suffix)
        return claim, Built(key=key, etag=etag, media_type=kind.media_type, size=len(data), version=kind.version)

    def _in_order(self, claims: Sequence[Claim]) -> list[Claim]:
        return sorted(claims, key=lambda claim: self._depths[claim.kind])

    def build_until(self, record: ArtifactRecord, is_over: Callable[[], bool]) -> ArtifactRecord:
        """Build an artifact, or wait for whoever builds it; ``ensure`` is what to call from outside.

        Raises
        ------
        NotFoundError
            It is deleted by now.
        BuildError
            It is over, or the build failed.
        """
        pause, longest = POLL_SECONDS
        while True:
            record = self.catalog.artifact(record.kind, record.image_id, record.annotation_id, record.entity_id)
            if self._is_fresh(record):
                return record
            refuse_so_soon(record, self.catalog.now(), retryable=not self._lasting.holds(record))
            if is_over():
                raise not_in_time(record)
            outcome = self.build_artifact(record.id, should_stop=is_over, ignore_backoff=True)
            if outcome is not None:
                self._raise_failure(outcome)
            else:
                refuse_missing(self.catalog.get_image(record.image_id))
                time.sleep(pause)
                pause = min(2 * pause, longest)

    def _failed(self, held: HeldClaims, claim: Claim, error: Exception) -> Outcome:
        reason = explain(error)
        if isinstance(error, CoverslipError):
            log.info("%s: %s", name_of(claim), reason)
        else:
            log.error("%s: %s", name_of(claim), reason, exc_info=error)
        self._lasting.note(claim.artifact_id, reason, error)
        kept = held.failed(claim, reason, retry_delay(claim.attempts, error))
        return Outcome(claim, "failed" if kept else "lost", reason, error)

    def _raise_failure(self, outcome: Outcome) -> None:
        """Answer with the reason of a failure, unless the source changed meanwhile: then it says nothing any more."""
        claim, reason = outcome.claim, outcome.error
        if outcome.state != "failed" or reason is None:
            return
        if self.catalog.artifact(claim.kind, claim.image_id, claim.annotation_id, claim.entity_id).wanted == claim.seen:
            raise BuildError(reason, retryable=not is_lasting(outcome.cause)) from outcome.cause

    def _is_fresh(self, record: ArtifactRecord) -> bool:
        return record.is_fresh(self.versions[record.kind])
