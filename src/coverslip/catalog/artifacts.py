"""Derived artifacts: which are stale, who builds them, what came of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, case, select, update

from coverslip.catalog.events import News, write_events
from coverslip.catalog.marks import (
    ARTIFACT,
    are_of_older_recipes,
    count_change,
    is_behind,
    is_past,
    mark_stale,
    note_marked,
    select_shown,
)
from coverslip.catalog.part import Part, chunks, known_form, new_id
from coverslip.catalog.tables import Artifact, Asset, Image
from coverslip.errors import NotFoundError
from coverslip.model.records import ArtifactRecord, Built, Claim


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
        wanted = select_shown(*ARTIFACT).where(Artifact.image_id == known_form(image_id), Artifact.kind == kind, of)
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
        except_images: Collection[str] = (),
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
        except_images
            None of these images, a few.
        ignore_backoff
            Also those whose last attempt failed a short time ago, or whose failure somebody chose to ignore.
        """
        now = self._clock()
        free = [is_past(Artifact.lease_until, now)]
        if not ignore_backoff:
            free += [is_past(Artifact.next_try_at, now), Artifact.ignored_at.is_(None)]
        if image_id is not None:
            free.append(Artifact.image_id == image_id)
        if except_images:
            free.append(Artifact.image_id.not_in(sorted(except_images)))
        if artifact_ids is not None:
            free.append(Artifact.id.in_(artifact_ids))
        ways = [_select_claimable().where(way, *free) for way in (is_behind(versions), *are_of_older_recipes(versions))]
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
            Claim(row.id, row.kind, row.image_id, row.wanted, token, row.attempts, row.annotation_id, row.stale_since)
            for row in picked
        ]

    def heartbeat(self, claim: Claim, lease_seconds: float) -> bool:
        """Return whether the claim still holds, and make it hold for longer."""
        until = self._clock() + timedelta(seconds=lease_seconds)
        with self._database.writing() as connection:
            return _update_claimed(connection, claim, {"lease_until": until})

    def look_again(self, claim: Claim) -> Claim | None:
        """Return the claim as if it were made now, before any source is read; ``None`` when it was lost."""
        wanted = select(Artifact.wanted).where(Artifact.id == claim.artifact_id, Artifact.token == claim.token)
        with self._database.reading() as connection:
            seen = connection.execute(wanted).scalar_one_or_none()
        return None if seen is None else replace(claim, seen=seen)

    def finish(self, claim: Claim, built: Built, dependents: Collection[str] = ()) -> bool:
        """Note what was published; return False, and note nothing, when the claim was lost.

        Parameters
        ----------
        claim
            The right to it.
        built
            What was published.
        dependents
            Kinds that are made from this one. Other bytes than before make theirs stale in the same transaction;
            equal ones change nothing.
        """
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
            before = select(Artifact.etag).where(Artifact.id == claim.artifact_id)
            etag = connection.execute(before).scalar_one_or_none() if dependents else None
            is_ours = _update_claimed(connection, claim, values)
            if is_ours and dependents and etag != built.etag:
                self._mark_dependents(connection, claim, dependents)
            if is_ours:
                write_events(connection, [_news("artifact.built", claim, etag=built.etag)])
        return is_ours

    def _mark_dependents(self, connection: Connection, claim: Claim, dependents: Collection[str]) -> None:
        of = [Artifact.annotation_id == claim.annotation_id] if claim.annotation_id else []
        cause = f"its {claim.kind} has changed"
        whose = (Artifact.image_id == claim.image_id, Artifact.kind.in_(dependents), *of)
        note_marked(connection, [claim.image_id])
        count_change(connection, self._clock(), cause, *whose)

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


_STALE_SINCE = case((Artifact.built < Artifact.wanted, Artifact.marked_at)).label("stale_since")
_NO_LEASE: Mapping[str, None] = {"lease_until": None, "token": None}


def _news(what: str, claim: Claim, **data: str) -> News:
    of = {"annotation_id": claim.annotation_id} if claim.annotation_id else {}
    return News(what, claim.image_id, {"kind": claim.kind, **of, **data})


def _select_claimable() -> Select[*tuple[Any, ...]]:
    """Return the query for artifacts of images that can be read, longest stale first."""
    columns = (Artifact.id, Artifact.kind, Artifact.image_id, Artifact.annotation_id, Artifact.wanted)
    return (
        select_shown(*columns, Artifact.attempts, _STALE_SINCE)
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
