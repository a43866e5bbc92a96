"""What follows from a change of one annotation: neighbours that move, and what an undo takes back."""

from sqlalchemy import Connection, select

from coverslip.catalog.annotation_rows import (
    Draft,
    content_before,
    one_annotation,
    some_annotations,
    spans_beside,
)
from coverslip.catalog.annotation_tables import AnnotationChange, AnnotationRevision
from coverslip.catalog.part import new_id
from coverslip.errors import ConflictError
from coverslip.model.annotations import Annotation
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


def latest_change(connection: Connection, annotation_id: str) -> str | None:
    """Return the latest change of an annotation that is neither an undo nor undone."""
    wanted = (
        select(AnnotationChange.id)
        .join(AnnotationRevision, AnnotationRevision.change_id == AnnotationChange.id)
        .where(
            AnnotationRevision.annotation_id == annotation_id,
            AnnotationChange.action != "undo",
            AnnotationChange.undone_by.is_(None),
        )
        .order_by(AnnotationRevision.revision.desc())
        .limit(1)
    )
    return connection.scalars(wanted).one_or_none()


def taken_back(connection: Connection, change_id: str, asked: str) -> list[Draft]:
    """Return everything one change touched as it was before; the annotation that was asked for first."""
    wanted = select(AnnotationRevision.annotation_id, AnnotationRevision.revision)
    touched = connection.execute(wanted.where(AnnotationRevision.change_id == change_id)).all()
    drafts = []
    for row in sorted(touched, key=lambda row: (row.annotation_id != asked, row.annotation_id)):
        if latest_change(connection, row.annotation_id) != change_id:
            raise ConflictError(
                f"annotation {row.annotation_id} of the same change was changed since: undo that change first"
            )
        current = one_annotation(connection, row.annotation_id)
        before = content_before(connection, row.annotation_id, row.revision)
        content, is_deleted = before if before is not None else (current.content, True)
        drafts.append(Draft.of(current, content, "undo", is_deleted=is_deleted))
    return drafts
