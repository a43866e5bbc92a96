"""Who builds which artifact, and what came of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, Select, and_, bindparam, case, or_, select, text, update

from coverslip.catalog.around import images_around
from coverslip.catalog.events import News, write_events
from coverslip.catalog.marks import (
    LOCK_ORDER,
    OF_IMAGE,
    are_of_older_recipes,
    count_change,
    is_behind,
    is_past,
    note_marked,
    select_shown,
)
from coverslip.catalog.part import Part, chunks, execute_many, new_id
from coverslip.catalog.tables import Artifact, Asset, Image
from coverslip.model.records import Built, Claim

type _Way = Select[*tuple[Any, ...]]


class Claims(Part):
    """The right to build an artifact: given, kept alive, ended."""

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
        given: dict[str, Any] = {"image_id": image_id, "artifact_ids": artifact_ids}
        given["except_images"] = sorted(except_images) or None
        given = {name: value for name, value in given.items() if value is not None}
        ways = list(_ways_to_claim(tuple(versions.items()), frozenset(given), ignore_backoff))
        skipped = self._count_dry(ways, {**given, "now": self._clock(), "most": 1})
        if skipped is None:
            return []
        with self._database.writing() as connection:
            now = self._clock()  # a lease begins now, not before waiting for other writers
            ways = ways[skipped:]
            if not self._database.is_sqlite and image_id is None and artifact_ids is None:
                # what became stale just now is not in the statistics yet, and PostgreSQL would sort all of it
                connection.execute(text("SET LOCAL enable_sort = off"))
            picked: Sequence[Any] = ()
            while ways and not picked:  # others may have taken the first ones
                picked = connection.execute(ways.pop(0), {**given, "now": now, "most": limit}).all()
            if not picked:
                return []
            token = new_id()
            lease = {"lease_until": now + timedelta(seconds=lease_seconds), "token": token}
            for ids in chunks(row.id for row in picked):
                connection.execute(update(Artifact).where(Artifact.id.in_(ids)).values(lease))
        return [
            Claim(
                *(row.id, row.kind, row.image_id, row.wanted, token, row.attempts, row.annotation_id, row.stale_since),
                row.entity_id,
            )
            for row in picked
        ]

    def _count_dry(self, ways: Sequence[_Way], given: Mapping[str, Any]) -> int | None:
        """Return how many of the first queries find nothing, ``None`` when none finds anything.

        Idle builders ask all the time, and SQLite has one writer; on PostgreSQL it is found out when claiming.
        """
        if not self._database.is_sqlite:
            return 0
        with self._database.reading() as connection:
            found = (number for number, way in enumerate(ways) if connection.execute(way, given).first() is not None)
            return next(found, None)

    def heartbeat(self, claim: Claim, lease_seconds: float) -> bool:
        """Return whether the claim still holds, and make it hold for longer."""
        with self._database.writing() as connection:
            until = self._clock() + timedelta(seconds=lease_seconds)  # now, not before waiting for other writers
            return _update_claimed(connection, claim, {"lease_until": until})

    def look_again(self, claim: Claim) -> Claim | None:
        """Return the claim as if it were made now, before any source is read; ``None`` when it was lost."""
        wanted = select(Artifact.wanted).where(Artifact.id == claim.artifact_id, Artifact.token == claim.token)
        with self._database.reading() as connection:
            seen = connection.execute(wanted).scalar_one_or_none()
        return None if seen is None else replace(claim, seen=seen)

    def finish(
        self,
        ends: Sequence[tuple[Claim, Built]],
        dependents: Mapping[str, Collection[str]] = MappingProxyType({}),
    ) -> set[str]:
        """Note what was published, in one transaction; return the artifacts whose claims were not lost.

        Parameters
        ----------
        ends
            The rights to them, and what became of each.
        dependents
            For each kind, the kinds that are made from it. Other bytes than before make theirs stale in the same
            transaction; equal ones change nothing.
        """
        following = self._entity_kinds.follow_entities
        with self._database.writing() as connection:
            entities = [claim.entity_id for claim, _ in ends if claim.entity_id is not None]
            around = images_around(connection, entities, self._entity_kinds)
            shown_by = {image_id for images in around.values() for image_id in images}
            beside = and_(Artifact.image_id.in_(sorted(shown_by)), Artifact.kind.in_(following)) if shown_by else None
            before = _lock_claimed(connection, [claim for claim, _ in ends], dependents, beside)
            ours = [(claim, built) for claim, built in ends if claim.artifact_id in before]
            execute_many(connection, _FINISH, [_finished(claim, built) for claim, built in ours])
            for claim, built in ours:
                if before[claim.artifact_id] == built.etag:
                    continue
                if claim.entity_id is not None:
                    self._mark_views(connection, claim, around.get(claim.entity_id, ()))
                elif dependents.get(claim.kind):
                    self._mark_dependents(connection, claim, dependents[claim.kind])
            write_events(connection, [_news("artifact.built", claim, etag=built.etag) for claim, built in ours])
        return set(before)

    def _mark_dependents(self, connection: Connection, claim: Claim, dependents: Collection[str]) -> None:
        of = [Artifact.annotation_id == claim.annotation_id] if claim.annotation_id else []
        cause = f"its {claim.kind} has changed"
        whose = (Artifact.image_id == claim.image_id, Artifact.kind.in_(dependents), Artifact.entity_id.is_(None), *of)
        if count_change(connection, self._clock(), cause, *whose):
            note_marked(connection, [claim.image_id])

    def _mark_views(self, connection: Connection, claim: Claim, image_ids: Sequence[str]) -> None:
        """Make stale what shows an entity: its artifacts are made from those of the entity."""
        which = (Artifact.image_id.in_(image_ids), Artifact.kind.in_(self._entity_kinds.follow_entities), OF_IMAGE)
        if image_ids and count_change(connection, self._clock(), f"the {claim.kind} of {claim.entity_id}", *which):
            note_marked(connection, image_ids)

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

    def release(self, *claims: Claim) -> None:
        """Give artifacts back without counting an attempt."""
        with self._database.writing() as connection:
            ids = _lock_claimed(connection, claims)
            connection.execute(update(Artifact).where(Artifact.id.in_(ids)).values(_NO_LEASE))


_STALE_SINCE = case((Artifact.built < Artifact.wanted, Artifact.marked_at)).label("stale_since")
_NO_LEASE: Mapping[str, Any] = {"lease_until": None, "token": None}


_NO_FAILURE: Mapping[str, Any] = {"attempts": 0, "next_try_at": None, "error": None, "ignored_at": None}
_FINISH = (
    update(Artifact)
    .where(Artifact.id == bindparam("artifact_id"))
    .values(
        built=bindparam("seen"),
        version=bindparam("recipe"),
        key=bindparam("name"),
        etag=bindparam("digest"),
        media_type=bindparam("media"),
        size=bindparam("bytes"),
        **_NO_FAILURE,
        **_NO_LEASE,
    )
)


def _finished(claim: Claim, built: Built) -> dict[str, Any]:
    """Return what ``_FINISH`` writes."""
    return {
        "artifact_id": claim.artifact_id,
        "seen": claim.seen,
        "recipe": built.version,
        "name": built.key,
        "digest": built.etag,
        "media": built.media_type,
        "bytes": built.size,
    }


def _lock_claimed(
    connection: Connection,
    claims: Iterable[Claim],
    dependents: Mapping[str, Collection[str]] = MappingProxyType({}),
    beside: ColumnElement[bool] | None = None,
) -> dict[str, str | None]:
    """Return the artifacts of claims that still hold, with their ETags, locked with what may be marked after them.

    Everybody who locks several artifacts does so in this order.
    """
    tokens = {claim.artifact_id: claim.token for claim in claims}
    following = {kind for claim in claims for kind in dependents.get(claim.kind, ())}
    chosen: ColumnElement[bool] = Artifact.id.in_(sorted(tokens))
    if following:
        is_following = Artifact.kind.in_(sorted(following))
        images = {claim.image_id for claim in claims if claim.annotation_id is None and claim.entity_id is None}
        annotations = {claim.annotation_id for claim in claims if claim.annotation_id is not None}
        if images:  # all that are made of something of an image, its annotations' too
            chosen = or_(chosen, and_(Artifact.image_id.in_(sorted(images)), is_following))
        if annotations:
            chosen = or_(chosen, and_(Artifact.annotation_id.in_(sorted(annotations)), is_following))
    if beside is not None:
        chosen = or_(chosen, beside)
    wanted = select(Artifact.id, Artifact.token, Artifact.etag).where(chosen).order_by(*LOCK_ORDER)
    rows = connection.execute(wanted.with_for_update())
    return {row.id: row.etag for row in rows if row.token is not None and tokens.get(row.id) == row.token}


def _news(what: str, claim: Claim, **data: str) -> News:
    of: dict[str, Any] = {"annotation_id": claim.annotation_id} if claim.annotation_id else {}
    if claim.entity_id is not None:
        of["entity_id"] = claim.entity_id
    return News(what, claim.image_id, {"kind": claim.kind, **of, **data})


@lru_cache(maxsize=64)
def _ways_to_claim(versions: tuple[tuple[str, int], ...], given: frozenset[str], ignore_backoff: bool) -> list[_Way]:
    """Return the queries that find what is stale, in the order they are tried; each is answered from an index.

    They are made once: making them takes longer than executing them.

    Parameters
    ----------
    versions
        Present recipe version of each kind.
    given
        Which of the conditions ``image_id``, ``artifact_ids`` and ``except_images`` there are. Their values, ``now``
        and ``most``, how many to find, are parameters of the queries.
    ignore_backoff
        Whether also what failed a short time ago, or whose failure somebody chose to ignore.
    """
    now = bindparam("now", type_=Artifact.lease_until.type)
    free = [is_past(Artifact.lease_until, now)]
    if not ignore_backoff:
        free += [Artifact.ignored_at.is_(None), is_past(Artifact.next_try_at, now)]
    conditions = {
        "image_id": Artifact.image_id == bindparam("image_id"),
        "artifact_ids": Artifact.id.in_(bindparam("artifact_ids", expanding=True)),
        "except_images": Artifact.image_id.not_in(bindparam("except_images", expanding=True)),
    }
    free += [conditions[name] for name in sorted(given)]
    kinds = dict(versions)
    ways = [
        _select_claimable().where(is_behind(kinds), *free).order_by(Artifact.marked_at),
        *(_select_claimable().where(way, *free) for way in are_of_older_recipes(kinds)),
    ]
    return [way.limit(bindparam("most", type_=Integer)).with_for_update(skip_locked=True, of=Artifact) for way in ways]


def _select_claimable() -> _Way:
    """Return the query for artifacts of images that can be read."""
    columns = (
        *(Artifact.id, Artifact.kind, Artifact.image_id, Artifact.annotation_id, Artifact.entity_id),
        Artifact.wanted,
    )
    return (
        select_shown(*columns, Artifact.attempts, _STALE_SINCE)
        .join(Asset, Asset.id == Image.asset_id)
        .where(Image.missing_since.is_(None), Asset.missing_since.is_(None))
    )


def _update_claimed(
    connection: Connection, claim: Claim, values: Mapping[str, Any], *conditions: ColumnElement[bool]
) -> bool:
    """Return whether the claim still holds; only then the values are set."""
    is_ours = (Artifact.id == claim.artifact_id) & (Artifact.token == claim.token)
    return connection.execute(update(Artifact).where(is_ours, *conditions).values(dict(values))).rowcount == 1
