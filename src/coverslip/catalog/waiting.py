"""What waits to be built, why, and what a person decides about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update

from coverslip.catalog.annotation_rows import ANNOTATION, to_annotation
from coverslip.catalog.annotation_tables import Annotation
from coverslip.catalog.marks import ARTIFACT, count_change, expect_many, is_past, is_stale, note_marked, select_shown
from coverslip.catalog.part import Part, known_form
from coverslip.catalog.tables import Artifact, Asset, Image
from coverslip.errors import ConflictError, InvalidRequestError, NotFoundError
from coverslip.model.records import ArtifactPage, ArtifactRecord, ArtifactState, PendingArtifact, PendingCount
from coverslip.model.search import to_utc

_CAN_BE_READ = and_(Image.missing_since.is_(None), Asset.missing_since.is_(None))


class Waiting(Part):
    """Lists of artifacts that are not fresh, and what is decided by hand: again, never mind, anew."""

    def artifact_by_id(self, artifact_id: str) -> ArtifactRecord:
        """Return one artifact.

        Raises
        ------
        NotFoundError
            There is no such artifact, or its image or annotation is deleted.
        """
        with self._database.reading() as connection:
            row = connection.execute(select_shown(*ARTIFACT).where(Artifact.id == artifact_id)).one_or_none()
        if row is None:
            raise _no_such_artifact(artifact_id)
        return ArtifactRecord(**row._mapping)

    def pending(self, image_id: str, versions: Mapping[str, int], *, limit: int) -> tuple[PendingArtifact, ...]:
        """Return what can be built now for an image, as an annotator wants it.

        Annotations come first, the earliest frame before the others, then what is of the whole image. Left out is
        what somebody is building, what failed a short time ago, and what is ignored.

        Parameters
        ----------
        image_id
            Of which image.
        versions
            Present recipe version of each kind.
        limit
            How many at most.

        Raises
        ------
        NotFoundError
            There is no such image, or it is deleted.
        """
        self._must_be_shown(image_id)
        order = (Annotation.id.is_(None), Annotation.first, Annotation.track, Artifact.marked_at, Artifact.id)
        wanted = self._buildable(image_id, versions, *ARTIFACT).order_by(*order).limit(limit)
        with self._database.reading() as connection:
            found = [ArtifactRecord(**row._mapping) for row in connection.execute(wanted)]
            ids = {record.annotation_id for record in found} - {None}
            rows = connection.execute(select(*ANNOTATION).where(Annotation.id.in_(ids)))
            annotations = {row.id: to_annotation(row) for row in rows}
        return tuple(PendingArtifact(record, annotations.get(record.annotation_id or "")) for record in found)

    def count_pending(self, image_id: str, versions: Mapping[str, int]) -> int:
        """Return how many artifacts of an image can be built now.

        Raises
        ------
        NotFoundError
            There is no such image, or it is deleted.
        """
        self._must_be_shown(image_id)
        with self._database.reading() as connection:
            return int(connection.execute(self._buildable(image_id, versions, func.count())).scalar_one())

    def most_pending(self, versions: Mapping[str, int], *, over: int, limit: int = 10) -> tuple[PendingCount, ...]:
        """Return the images with more stale artifacts than ``over``, those with most first.

        Failed ones and those being built count, ignored ones and those of missing files do not.
        """
        number = func.count()
        wanted = (
            _of_readable_images(Artifact.image_id, number.label("count"))
            .where(_is_waiting(versions))
            .group_by(Artifact.image_id)
            .having(number > over)
            .order_by(number.desc(), Artifact.image_id)
            .limit(limit)
        )
        with self._database.reading() as connection:
            return tuple(PendingCount(row.image_id, row._mapping["count"]) for row in connection.execute(wanted))

    def artifacts(
        self,
        versions: Mapping[str, int],
        *,
        state: ArtifactState | None = None,
        kind: str | None = None,
        image_id: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> ArtifactPage:
        """Return a page of artifacts, those that became stale first before the others.

        Parameters
        ----------
        versions
            Present recipe version of each kind.
        state
            Only these. ``stale`` is everything that is not fresh; the other states are those of
            ``ArtifactRecord.state``.
        kind, image_id
            Only these.
        limit
            Most artifacts of a page.
        cursor
            Where the last page ended.

        Raises
        ------
        InvalidRequestError
            The cursor is none of ours.
        """
        conditions: list[ColumnElement[bool]] = [Artifact.kind.in_(list(versions))]
        if state is not None:
            conditions.append(self._is(state, versions))
        if kind is not None:
            conditions.append(Artifact.kind == kind)
        if image_id is not None:
            conditions.append(Artifact.image_id == known_form(image_id))
        counted = select_shown(func.count()).where(*conditions)
        if cursor is not None:
            conditions.append(_is_after(cursor))
        page = select_shown(*ARTIFACT).where(*conditions).order_by(Artifact.marked_at, Artifact.id).limit(limit + 1)
        with self._database.reading() as connection:
            total = connection.execute(counted).scalar_one()
            found = [ArtifactRecord(**row._mapping) for row in connection.execute(page)]
        shown, last = tuple(found[:limit]), found[:limit][-1:]
        more = f"{last[0].marked_at.isoformat()}~{last[0].id}" if len(found) > limit else None
        return ArtifactPage(shown, total, more)

    def retry(self, artifact_id: str) -> None:
        """Forget that an artifact failed a short time ago, or that its failure was to be ignored: build it soon.

        Raises
        ------
        NotFoundError
            There is no such artifact, or its image or annotation is deleted.
        """
        self._decide(artifact_id, {"attempts": 0, "next_try_at": None, "ignored_at": None})

    def ignore(self, artifact_id: str, versions: Mapping[str, int]) -> None:
        """Leave an artifact stale until its sources change, or somebody asks for it.

        Raises
        ------
        NotFoundError
            There is no such artifact, or its image or annotation is deleted.
        ConflictError
            It is fresh.
        """
        record = self.artifact_by_id(artifact_id)
        if record.is_fresh(versions.get(record.kind, 0)):
            raise ConflictError(f"the {record.kind} {artifact_id} is fresh: there is nothing to ignore")
        self._decide(artifact_id, {"ignored_at": self._clock()})

    def rebuild(
        self,
        *,
        artifact_id: str | None = None,
        kind: str | None = None,
        image_id: str | None = None,
        image_ids: Sequence[str] | None = None,
        cause: str = "asked for by hand",
    ) -> int:
        """Make stale what all of the choices allow, as a change of its sources does; return how many that can be seen.

        Parameters
        ----------
        artifact_id, kind, image_id
            Which artifacts; ``None`` is all of them.
        image_ids
            Only those of these images, what goes along with them included.
        cause
            Why, in words.
        """
        chosen = {Artifact.id: artifact_id, Artifact.kind: kind, Artifact.image_id: image_id}
        conditions = [column == value for column, value in chosen.items() if value is not None]
        if image_ids is not None:
            conditions.append(Artifact.image_id.in_(sorted(image_ids)))
        with self._database.writing() as connection:
            if artifact_id is None:
                note_marked(connection, ["" if image_id is None else image_id])
                expect_many(connection)
            count_change(connection, self._clock(), cause, *conditions)  # of what is deleted too: it may come back
            return int(connection.execute(select_shown(func.count()).where(*conditions)).scalar_one())

    def _decide(self, artifact_id: str, values: Mapping[str, Any]) -> None:
        with self._database.writing() as connection:
            is_shown = Artifact.id.in_(select_shown(Artifact.id).where(Artifact.id == artifact_id))
            if connection.execute(update(Artifact).where(is_shown).values(dict(values))).rowcount != 1:
                raise _no_such_artifact(artifact_id)

    def _must_be_shown(self, image_id: str) -> None:
        wanted = select(Image.id).where(Image.id == known_form(image_id), Image.deleted_at.is_(None))
        with self._database.reading() as connection:
            if connection.execute(wanted).first() is None:
                raise NotFoundError(f"there is no image {image_id!r}")

    def _buildable(self, image_id: str, versions: Mapping[str, int], *columns: Any) -> Select[*tuple[Any, ...]]:
        now = self._clock()
        return _of_readable_images(*columns).where(
            Artifact.image_id == image_id,
            _is_waiting(versions),
            is_past(Artifact.lease_until, now),
            is_past(Artifact.next_try_at, now),
        )

    def _is(self, state: ArtifactState, versions: Mapping[str, int]) -> ColumnElement[bool]:
        """Return the condition for a state; the same as ``ArtifactRecord.state`` but for ``stale``."""
        stale, has_failed = is_stale(versions), Artifact.error.is_not(None)
        is_building = ~is_past(Artifact.lease_until, self._clock())
        conditions: Mapping[ArtifactState, ColumnElement[bool]] = {
            "fresh": ~stale,
            "stale": stale,
            "building": and_(stale, is_building),
            "ignored": and_(stale, ~is_building, Artifact.ignored_at.is_not(None)),
            "failed": and_(stale, ~is_building, Artifact.ignored_at.is_(None), has_failed),
        }
        return conditions[state]


def _of_readable_images(*columns: Any) -> Select[*tuple[Any, ...]]:
    return select_shown(*columns).join(Asset, Asset.id == Image.asset_id).where(_CAN_BE_READ)


def _is_waiting(versions: Mapping[str, int]) -> ColumnElement[bool]:
    is_known = Artifact.kind.in_(list(versions))
    return and_(is_known, is_stale(versions), Artifact.ignored_at.is_(None))


def _is_after(cursor: str) -> ColumnElement[bool]:
    text, _, artifact_id = cursor.partition("~")
    when = to_utc(text)
    if when is None:
        raise InvalidRequestError(f"cursor: {cursor[:64]!r} is none that this list has given")
    return or_(Artifact.marked_at > when, and_(Artifact.marked_at == when, Artifact.id > artifact_id))


def _no_such_artifact(artifact_id: str) -> NotFoundError:
    return NotFoundError(f"there is no artifact {artifact_id[:64]!r}")
