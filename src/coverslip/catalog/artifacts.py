"""Derived artifacts: which are stale, who builds them, what came of it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from itertools import product
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, literal, or_, select, update

from coverslip.catalog.annotation_tables import Annotation
from coverslip.catalog.events import News, write_events
from coverslip.catalog.part import Part, chunks, execute_many, known_form, new_id, upsert
from coverslip.catalog.tables import Artifact, Asset, Image
from coverslip.catalog.types import UtcTime
from coverslip.errors import NotFoundError
from coverslip.model.records import ArtifactRecord, Built, Claim

_ARTIFACT = tuple(getattr(Artifact, field.name) for field in fields(ArtifactRecord))
"""The columns of a record."""


class Artifacts(Part):
    """Marks, claims and their ends."""

    def artifact(self, kind: str, image_id: str, annotation_id: str | None = None) -> ArtifactRecord:
        """Return how one artifact of one image, or of one annotation of it, stands.

        Raises
        ------
        NotFoundError
            There is no such image or annotation, it is deleted, or it has no artifact of this kind.
        """
        of = Artifact.annotation_id.is_(None) if annotation_id is None else Artifact.annotation_id == annotation_id
        wanted = _select_shown(*_ARTIFACT).where(Artifact.image_id == known_form(image_id), Artifact.kind == kind, of)
        with self._database.reading() as connection:
            row = connection.execute(wanted).one_or_none()
        if row is None:
            whole = f"image {image_id!r}" if annotation_id is None else f"annotation {annotation_id!r}"
            raise NotFoundError(f"there is no {kind} of {whole}")
        return ArtifactRecord(**row._mapping)

    def mark(
        self, kind: str, image_ids: Iterable[str], *, annotation_id: str | None = None, cause: str = "asked for"
    ) -> int:
        """Note that the sources of these artifacts changed; return how many artifacts that made or left stale.

        Parameters
        ----------
        kind
            Of the artifacts.
        image_ids
            Their images.
        annotation_id
            The annotation they are of; ``None`` is the image itself.
        cause
            What changed, in words.
        """
        of = Artifact.annotation_id.is_(None) if annotation_id is None else Artifact.annotation_id == annotation_id
        with self._database.writing() as connection:
            return mark_stale(connection, image_ids, self._clock(), Artifact.kind == kind, of, cause=cause)

    def claim(
        self,
        versions: Mapping[str, int],
        *,
        lease_seconds: float,
        limit: int = 1,
        image_id: str | None = None,
        artifact_ids: Sequence[str] | None = None,
        ignore_backoff: bool = False,
    ) -> list[Claim]:
        """Return the right to build stale artifacts, those that have been stale for longest first.

        Nobody else gets the same artifact before the lease runs out. What is claimed notes how many changes there
        were, so a change that comes during the build leaves the artifact stale.

        Parameters
        ----------
        versions
            Present recipe version of each kind the caller can build.
        lease_seconds
            How long the claim holds without a sign of life.
        limit
            How many to claim at most.
        image_id
            Only artifacts of this image.
        artifact_ids
            Only these, a few.
        ignore_backoff
            Also those whose last attempt failed a short time ago, or whose failure somebody chose to ignore.
        """
        now = self._clock()
        free = [_is_past(Artifact.lease_until, now)]
        if not ignore_backoff:
            free += [_is_past(Artifact.next_try_at, now), Artifact.ignored_at.is_(None)]
        if image_id is not None:
            free.append(Artifact.image_id == image_id)
        if artifact_ids is not None:
            free.append(Artifact.id.in_(artifact_ids))
        ways = [
            _select_claimable().where(way, *free) for way in (_is_behind(versions), *_are_of_older_recipes(versions))
        ]
        with self._database.reading() as connection:
            # idle builders ask all the time, and SQLite has one writer
            if not any(connection.execute(way.limit(1)).first() for way in ways):
                return []
        with self._database.writing() as connection:
            picked: list[Any] = []
            for way in ways:
                if len(picked) < limit:
                    locking = way.limit(limit - len(picked)).with_for_update(skip_locked=True, of=Artifact)
                    picked += connection.execute(locking).all()
            token = new_id()
            lease = {"lease_until": now + timedelta(seconds=lease_seconds), "token": token}
            for ids in chunks(row.id for row in picked):
                connection.execute(update(Artifact).where(Artifact.id.in_(ids)).values(lease))
        return [
            Claim(row.id, row.kind, row.image_id, row.wanted, token, row.attempts, row.annotation_id) for row in picked
        ]

    def heartbeat(self, claim: Claim, lease_seconds: float) -> bool:
        """Return whether the claim still holds, and make it hold for longer."""
        until = self._clock() + timedelta(seconds=lease_seconds)
        with self._database.writing() as connection:
            return _update_claimed(connection, claim, {"lease_until": until})

    def finish(self, claim: Claim, built: Built) -> bool:
        """Note what was published; return False, and note nothing, when the claim was lost."""
        values = {
            "built": claim.seen,
            "version": built.version,
            "key": built.key,
            "etag": built.etag,
            "media_type": built.media_type,
            "size": built.size,
            "attempts": 0,
            "next_try_at": None,
            "error": None,
            "ignored_at": None,
            **_NO_LEASE,
        }
        with self._database.writing() as connection:
            is_ours = _update_claimed(connection, claim, values)
            if is_ours:
                write_events(connection, [_news("artifact.built", claim, etag=built.etag)])
        return is_ours

    def fail(self, claim: Claim, error: str, retry_in_seconds: float) -> bool:
        """Note a failed attempt and when to try again; return False, and note nothing, when the claim was lost.

        Where the sources changed since the claim, nothing is known of the present ones: the artifact is only given
        back, to be tried at once.
        """
        is_outdated = Artifact.wanted > claim.seen
        next_try_at = self._clock() + timedelta(seconds=retry_in_seconds)
        values = {"attempts": Artifact.attempts + 1, "next_try_at": next_try_at, "error": error, **_NO_LEASE}
        with self._database.writing() as connection:
            if _update_claimed(connection, claim, _NO_LEASE, is_outdated):
                return True
            is_ours = _update_claimed(connection, claim, values)
            if is_ours:
                write_events(connection, [_news("artifact.failed", claim, error=error)])
        return is_ours

    def release(self, claim: Claim) -> None:
        """Give an artifact back without counting an attempt."""
        with self._database.writing() as connection:
            _update_claimed(connection, claim, _NO_LEASE)

    def artifact_keys(self) -> set[str]:
        """Return the storage name of everything that is published, current or not."""
        with self._database.reading() as connection:
            return set(connection.scalars(select(Artifact.key).where(Artifact.key.is_not(None)).distinct()))


_NO_LEASE: Mapping[str, None] = {"lease_until": None, "token": None}


def is_stale(versions: Mapping[str, int]) -> ColumnElement[bool]:
    """Return the condition for what may not be shown as current: changed since, or built by an older recipe."""
    return or_(Artifact.built < Artifact.wanted, *_are_of_older_recipes(versions))


def new_artifacts(image_ids: Iterable[str], kinds: Iterable[str], now: datetime) -> list[dict[str, Any]]:
    """Return the rows of artifacts that have never been built."""
    return [new_artifact(kind, image_id, now, "never built before") for image_id, kind in product(image_ids, kinds)]


def new_artifact(
    kind: str, image_id: str, now: datetime, cause: str, annotation_id: str | None = None
) -> dict[str, Any]:
    """Return the row of an artifact that has never been built."""
    counters = {"wanted": 1, "built": 0, "version": 0, "attempts": 0}
    of = {"kind": kind, "image_id": image_id, "annotation_id": annotation_id}
    return {"id": new_id(), **of, **counters, "marked_at": now, "cause": cause}


def missing_artifacts(
    connection: Connection, kinds: Iterable[str], now: datetime, *conditions: ColumnElement[bool]
) -> list[dict[str, Any]]:
    """Return the rows that images lack: of a kind that came with a newer version, or after a purge was undone."""
    rows: list[dict[str, Any]] = []
    for kind in kinds:
        is_it = and_(Artifact.image_id == Image.id, Artifact.kind == kind, Artifact.annotation_id.is_(None))
        has_row = select(Artifact.id).where(is_it).exists()
        images = connection.scalars(select(Image.id).where(Image.purged_at.is_(None), ~has_row, *conditions))
        rows += new_artifacts(images, [kind], now)
    return rows


def add_missing_artifacts(
    connection: Connection, kinds: Iterable[str], now: datetime, *conditions: ColumnElement[bool]
) -> None:
    """Add the rows that images lack. Somebody else may add them at the same time."""
    rows = missing_artifacts(connection, kinds, now, *conditions)
    execute_many(connection, upsert(connection, Artifact).on_conflict_do_nothing(), rows)


def mark_stale(
    connection: Connection, image_ids: Iterable[str], now: datetime, *conditions: ColumnElement[bool], cause: str
) -> int:
    """Count one more change of the images' artifacts, those of their annotations too. Returns how many rows."""
    return sum(
        _count_change(connection, now, cause, Artifact.image_id.in_(some), *conditions) for some in chunks(image_ids)
    )


def mark_annotations_stale(connection: Connection, annotation_ids: Iterable[str], now: datetime, cause: str) -> int:
    """Count one more change of the artifacts of annotations. Returns how many rows."""
    return sum(
        _count_change(connection, now, cause, Artifact.annotation_id.in_(some)) for some in chunks(annotation_ids)
    )


def _count_change(connection: Connection, now: datetime, cause: str, *conditions: ColumnElement[bool]) -> int:
    """Count one more change of the sources; a failure of the old ones no longer counts.

    ``marked_at`` stays for what is stale already: an image that keeps changing must not fall behind for ever.
    """
    wanted = select(Artifact.id).where(*conditions).order_by(Artifact.image_id, Artifact.kind, Artifact.id)
    ids = connection.scalars(wanted.with_for_update()).all()
    is_behind = Artifact.built < Artifact.wanted
    values = {
        "wanted": Artifact.wanted + 1,
        "marked_at": case((is_behind, Artifact.marked_at), else_=literal(now, UtcTime())),
        "cause": cause,
        "attempts": 0,
        "next_try_at": None,
        "error": None,
        "ignored_at": None,
    }
    for portion in chunks(ids):
        connection.execute(update(Artifact).where(Artifact.id.in_(portion)).values(values))
    return len(ids)


def _news(what: str, claim: Claim, **data: str) -> News:
    of = {"annotation_id": claim.annotation_id} if claim.annotation_id else {}
    return News(what, claim.image_id, {"kind": claim.kind, **of, **data})


def _is_past(column: Any, now: datetime) -> ColumnElement[bool]:
    return or_(column.is_(None), column <= now)


def _is_behind(versions: Mapping[str, int]) -> ColumnElement[bool]:
    return and_(Artifact.built < Artifact.wanted, Artifact.kind.in_(list(versions)))


def _are_of_older_recipes(versions: Mapping[str, int]) -> list[ColumnElement[bool]]:
    """Return the conditions for what has seen every change, but was built by an older recipe.

    What a newer one built is fresh: while two versions of Coverslip run, they would build each other's artifacts
    for ever. One range of an index each: no database answers all of them together by looking into an index.
    """
    return [
        and_(Artifact.built >= Artifact.wanted, Artifact.kind == kind, Artifact.version < version)
        for kind, version in versions.items()
    ]


def _select_shown(*columns: Any) -> Select[*tuple[Any, ...]]:
    """Return the query for artifacts of images and annotations that are not deleted."""
    return (
        select(*columns)
        .select_from(Artifact)
        .join(Image, Image.id == Artifact.image_id)
        .outerjoin(Annotation, Annotation.id == Artifact.annotation_id)
        .where(Image.deleted_at.is_(None), Annotation.deleted_at.is_(None))
    )


def _select_claimable() -> Select[*tuple[Any, ...]]:
    """Return the query for artifacts of images that can be read, longest stale first."""
    columns = (Artifact.id, Artifact.kind, Artifact.image_id, Artifact.annotation_id, Artifact.wanted)
    return (
        _select_shown(*columns, Artifact.attempts)
        .join(Asset, Asset.id == Image.asset_id)
        .where(Image.missing_since.is_(None), Asset.missing_since.is_(None))
        .order_by(Artifact.marked_at, Image.place.desc(), Artifact.id)
    )


def _update_claimed(
    connection: Connection, claim: Claim, values: Mapping[str, Any], *conditions: ColumnElement[bool]
) -> bool:
    """Return whether the claim still holds; only then the values are set."""
    is_ours = (Artifact.id == claim.artifact_id) & (Artifact.token == claim.token)
    return connection.execute(update(Artifact).where(is_ours, *conditions).values(dict(values))).rowcount == 1
