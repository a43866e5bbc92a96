"""What follows from a change of one annotation: neighbours that move, and what an undo takes back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, select, update

from coverslip.catalog.annotation_rows import (
    Extent,
    check_content,
    content_before,
    some_annotations,
    spans_beside,
)
from coverslip.catalog.annotation_tables import AnnotationChange, AnnotationRevision
from coverslip.catalog.annotation_writes import Draft
from coverslip.catalog.part import new_id
from coverslip.errors import ConflictError
from coverslip.model.annotations import Annotation, AnnotationContent
from coverslip.model.tracks import Span, close, tile


def place_on_track(annotation: Annotation) -> tuple[str, str]:
    """Return what annotations of one track of an image share."""
    return annotation.frames.axis, annotation.track


def _span(annotation: Annotation) -> Span:
    return annotation.frames.first, annotation.frames.last


def neighbours_of(connection: Connection, draft: Draft) -> list[Draft]:
    """Return what becomes of the other ranges of the track of what is saved."""
    saved = draft.annotation
    spans = spans_beside(connection, saved)
    tiling = tile(spans, _span(saved))
    if tiling.covered:
        covered = ((name, spans[name]) for name in tiling.covered)
        names = ", ".join(f"{name} (frames {first} to {last})" for name, (first, last) in covered)
        raise ConflictError(
            f"frames {saved.frames.first} to {saved.frames.last} leave nothing of annotation {names}: "
            "delete it first, or save without tiling"
        )
    others = some_annotations(connection, [*tiling.moved, *([tiling.split[0]] if tiling.split else [])])
    drafts = [Draft.moved(others[name], span) for name, span in tiling.moved.items()]
    if tiling.split is not None:
        name, span = tiling.split
        drafts.append(Draft.split(new_id(), others[name], span))
    return drafts


def closing_up(connection: Connection, gone: Annotation) -> list[Draft]:
    """Return what becomes of the track that an annotation leaves."""
    moved = close(spans_beside(connection, gone), _span(gone))
    others = some_annotations(connection, moved)
    return [Draft.moved(others[name], span) for name, span in moved.items()]


@dataclass(frozen=True, slots=True)
class Change:
    """A change that may be taken back."""

    id: str
    annotation_id: str
    """The annotation that it was asked for on."""
    action: str
    author: str
    at: datetime


_CHANGES_OF = (
    select(*(getattr(AnnotationChange, name) for name in ("id", "annotation_id", "action", "author", "at")))
    .join(AnnotationRevision, AnnotationRevision.change_id == AnnotationChange.id)
    .where(AnnotationRevision.annotation_id == bindparam("annotation_id"))
    .order_by(AnnotationRevision.revision.desc())
    .limit(1)
)
_IN_FORCE = _CHANGES_OF.where(AnnotationChange.action != "undo", AnnotationChange.undone_by.is_(None))


def _one_change(connection: Connection, wanted: Select[Any], annotation_id: str) -> Change | None:
    row = connection.execute(wanted, {"annotation_id": annotation_id}).one_or_none()
    return None if row is None else Change(row.id, row.annotation_id, row.action, row.author, row.at)


def change_to_undo(connection: Connection, current: Annotation) -> Change:
    """Return what undo takes back: the latest change of an annotation that is neither an undo nor undone.

    Where none is left and the annotation is deleted, its creation was undone: then it is that undo.

    Raises
    ------
    ConflictError
        Nothing is left to undo, or the annotation was touched last by a change of another one.
    """
    found = _one_change(connection, _IN_FORCE, current.id)
    if found is None and current.deleted_at is not None:
        found = _one_change(connection, _CHANGES_OF, current.id)
    if found is None:
        raise ConflictError(f"annotation {current.id}: there is nothing to undo")
    if found.annotation_id != current.id:
        whose = f"{found.author}'s" if found.author else "somebody's"
        raise ConflictError(
            f"annotation {current.id} was last moved by {whose} {found.action} of annotation {found.annotation_id}: "
            "undo that one"
        )
    return found


def taken_back(connection: Connection, change: Change, extent: Extent) -> list[Draft]:
    """Return everything one change touched as it was before; the annotation that was asked for first.

    Raises
    ------
    ConflictError
        Something that it touched was changed since, or would lie over what came there since.
    InvalidRequestError
        Something would lie outside the image, of which the file changed since.
    """
    wanted = select(AnnotationRevision.annotation_id, AnnotationRevision.revision)
    touched = connection.execute(wanted.where(AnnotationRevision.change_id == change.id)).all()
    present = some_annotations(connection, [row.annotation_id for row in touched])
    drafts = []
    for row in sorted(touched, key=lambda row: (row.annotation_id != change.annotation_id, row.annotation_id)):
        current = present[row.annotation_id]
        _check_unchanged(connection, change, current, row.revision)
        before = content_before(connection, row.annotation_id, row.revision)
        content, is_deleted = before if before is not None else (current.content, True)
        drafts.append(Draft.of(current, content, "undo", is_deleted=is_deleted))
    for draft in drafts:
        if not draft.is_deleted:
            check_content(draft.annotation.content, extent)
            _check_room(connection, change, draft.annotation, present)
    return drafts


def _check_unchanged(connection: Connection, change: Change, current: Annotation, revision: int) -> None:
    """Refuse to take a change back from an annotation that was changed after the revision that the change made."""
    latest = _one_change(connection, _IN_FORCE, current.id)
    if change.action != "undo":
        is_unchanged = latest is not None and latest.id == change.id
    else:
        is_unchanged = latest is None or _revision_by(connection, latest, current.id) < revision
    if not is_unchanged:
        raise ConflictError(f"annotation {current.id} of the same change was changed since: undo that change first")
    if change.action == "undo":
        left = content_before(connection, current.id, revision + 1)
        if left != (current.content, current.deleted_at is not None):
            raise ConflictError(
                f"annotation {current.id} of the same change was taken back further since: "
                f"create annotation {change.annotation_id} anew"
            )


def _revision_by(connection: Connection, change: Change, annotation_id: str) -> int:
    """Return the revision of an annotation that a change made."""
    wanted = select(AnnotationRevision.revision).where(
        AnnotationRevision.change_id == change.id, AnnotationRevision.annotation_id == annotation_id
    )
    return connection.scalars(wanted).one()


def _check_room(
    connection: Connection, change: Change, restored: Annotation, present: Mapping[str, Annotation]
) -> None:
    """Refuse to put a range over another one that it lies not over now and did not lie over before the change."""
    current = present[restored.id]
    is_there = current.deleted_at is None and place_on_track(current) == place_on_track(restored)
    for name, span in spans_beside(connection, restored).items():
        if name in present or not _overlap(span, _span(restored)) or (is_there and _overlap(span, _span(current))):
            continue
        if not _lay_over(connection, name, restored, change):
            raise ConflictError(
                f"annotation {restored.id} would come back at frames {restored.frames.first} to "
                f"{restored.frames.last}, where annotation {name} is now (frames {span[0]} to {span[1]}): "
                "move or delete that one first"
            )


def _overlap(one: Span, other: Span) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]


def _lay_over(connection: Connection, name: str, restored: Annotation, change: Change) -> bool:
    """Return whether an annotation lay over a range when a change was made, as after a save without tiling."""
    wanted = (
        select(AnnotationRevision.content, AnnotationRevision.is_deleted)
        .join(AnnotationChange, AnnotationChange.id == AnnotationRevision.change_id)
        .where(AnnotationRevision.annotation_id == name, AnnotationChange.at < change.at)
        .order_by(AnnotationRevision.revision.desc())
        .limit(1)
    )
    row = connection.execute(wanted).one_or_none()
    if row is None or row.is_deleted:
        return False
    then = AnnotationContent.model_validate(row.content)
    is_beside = (then.frames.axis, then.track) == place_on_track(restored)
    return is_beside and _overlap((then.frames.first, then.frames.last), _span(restored))


def note_undone(connection: Connection, change: Change, undone_by: str) -> None:
    """Note that a change was taken back; where it was an undo, what that took back is in force again."""
    again = update(AnnotationChange).where(AnnotationChange.undone_by == change.id)
    if change.action == "undo":
        connection.execute(again.values(undone_by=None))
    connection.execute(update(AnnotationChange).where(AnnotationChange.id == change.id).values(undone_by=undone_by))
