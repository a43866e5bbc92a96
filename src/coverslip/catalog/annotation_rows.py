"""Rows of annotations to frozen values and back, for ``annotations``."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Connection, bindparam, insert, select, update

from coverslip.catalog.annotation_tables import Annotation as Row
from coverslip.catalog.annotation_tables import AnnotationChange, AnnotationRevision
from coverslip.catalog.events import News, write_events
from coverslip.catalog.marks import mark_annotations_stale, new_artifact, note_marked
from coverslip.catalog.part import chunks, execute_many, known_form, new_id, no_such_image
from coverslip.catalog.tables import Artifact
from coverslip.catalog.tables import Image as ImageRow
from coverslip.errors import InvalidRequestError, NotFoundError
from coverslip.model.annotations import Action, Annotation, AnnotationContent, Frames, Saved
from coverslip.model.tracks import Span

ANNOTATION = tuple(
    getattr(Row, name)
    for name in ("id", "image_id", "content", "revision", "author", "created_at", "updated_at", "deleted_at")
)
"""The columns of which ``to_annotation`` makes one."""
NEVER = datetime.min


# Statements of every save are made once: making them takes as long as executing them.
_SIZES = select(
    *(ImageRow.document[name].as_integer().label(name) for name in ("size_t", "size_z", "size_y", "size_x"))
).where(ImageRow.id == bindparam("image_id"), ImageRow.deleted_at.is_(None))
_LOCK_SIZES = _SIZES.with_for_update(key_share=True)
"""Takes a lock that saves of the same image wait for, and readers and artifacts' foreign keys do not."""
_IMAGE_OF = select(Row.image_id).where(Row.id == bindparam("annotation_id"))
_ONE = (
    select(*ANNOTATION)
    .join(ImageRow, ImageRow.id == Row.image_id)
    .where(Row.id == bindparam("annotation_id"), ImageRow.deleted_at.is_(None))
)
_SOME = select(*ANNOTATION).where(Row.id.in_(bindparam("annotation_ids", expanding=True)))
_SPANS = (
    select(Row.id, Row.first, Row.last)
    .where(
        Row.image_id == bindparam("image_id"),
        Row.axis == bindparam("axis"),
        Row.track == bindparam("track"),
        Row.deleted_at.is_(None),
        Row.id != bindparam("annotation_id"),
    )
    .order_by(Row.first, Row.id)
)
_ADD = insert(Row)
_CHANGE = (
    update(Row)
    .where(Row.id == bindparam("annotation_id"))
    .values(
        {
            name: bindparam(f"new_{name}")
            for name in ("axis", "track", "first", "last", "content", "revision", "author", "updated_at", "deleted_at")
        }
    )
)
_ADD_CHANGE = insert(AnnotationChange)
_ADD_REVISION = insert(AnnotationRevision)
_ADD_ARTIFACT = insert(Artifact)


@dataclass(frozen=True, slots=True)
class Extent:
    """How many frames and pixels an image has."""

    frames: dict[str, int]
    width: int
    height: int

    @classmethod
    def of(cls, connection: Connection, image_id: str, *, locked: bool = False) -> Self:
        """Return an image that is not deleted.

        Raises
        ------
        NotFoundError
            There is no such image, or it is deleted.
        """
        row = connection.execute(_LOCK_SIZES if locked else _SIZES, {"image_id": known_form(image_id)}).one_or_none()
        if row is None:
            raise no_such_image(image_id)
        return cls({"t": row.size_t, "z": row.size_z}, row.size_x, row.size_y)


def locked_extent(connection: Connection, image_id: str) -> Extent:
    """Return an image that nobody else saves annotations of before this transaction ends."""
    return Extent.of(connection, image_id, locked=True)


def check_content(content: AnnotationContent, image: Extent) -> None:
    """Refuse frames and boxes outside the image.

    Raises
    ------
    InvalidRequestError
        Names each of them.
    """
    wrong = []
    frames, count = content.frames, image.frames[content.frames.axis]
    if frames.last >= count:
        wrong.append(
            f"frames: the image has {count} frame{'s'[: count != 1]} along {frames.axis}, "
            f"counted from 0; found {frames.first} to {frames.last}"
        )
    box = content.box
    if box is not None and (box.x + box.width > image.width or box.y + box.height > image.height):
        wrong.append(
            f"box: the image is {image.width} x {image.height} pixels; found "
            f"{box.width} x {box.height} at {box.x}, {box.y}"
        )
    if wrong:
        raise InvalidRequestError("the annotation lies outside the image: " + "; ".join(wrong), wrong)


def to_annotation(row: Any) -> Annotation:
    """Return the annotation of a row of ``ANNOTATION``."""
    return Annotation(
        **row.content,
        id=row.id,
        image_id=row.image_id,
        revision=row.revision,
        author=row.author,
        created_at=row.created_at,
        updated_at=row.updated_at,
        deleted_at=row.deleted_at,
    )


def one_annotation(connection: Connection, annotation_id: str) -> Annotation:
    """Return one annotation, deleted or not.

    Raises
    ------
    NotFoundError
        There is no such annotation, or its image is deleted.
    """
    row = connection.execute(_ONE, {"annotation_id": annotation_id}).one_or_none()
    if row is None:
        raise _no_such_annotation(annotation_id)
    return to_annotation(row)


def _no_such_annotation(annotation_id: str) -> NotFoundError:
    return NotFoundError(f"there is no annotation {annotation_id[:64]!r}")


def image_of(connection: Connection, annotation_id: str) -> str:
    """Return the image of an annotation, deleted or not.

    Raises
    ------
    NotFoundError
        There is no such annotation.
    """
    found: str | None = connection.scalar(_IMAGE_OF, {"annotation_id": annotation_id})
    if found is None:
        raise _no_such_annotation(annotation_id)
    return found


def some_annotations(connection: Connection, annotation_ids: Iterable[str]) -> dict[str, Annotation]:
    """Return those of some annotations that there are, deleted or not, by identifier."""
    found: dict[str, Annotation] = {}
    for some in chunks(annotation_ids):
        rows = connection.execute(_SOME, {"annotation_ids": some})
        found |= {row.id: to_annotation(row) for row in rows}
    return found


def spans_beside(connection: Connection, annotation: Annotation) -> dict[str, Span]:
    """Return the ranges of the other annotations on the track of one, by identifier, those deleted left out."""
    of = {"axis": annotation.frames.axis, "track": annotation.track, "annotation_id": annotation.id}
    rows = connection.execute(_SPANS, {"image_id": annotation.image_id, **of})
    return {name: (first, last) for name, first, last in rows.all()}


def content_before(connection: Connection, annotation_id: str, revision: int) -> tuple[AnnotationContent, bool] | None:
    """Return what an annotation said before a revision and whether it was deleted; ``None`` before the first."""
    wanted = select(AnnotationRevision.content, AnnotationRevision.is_deleted).where(
        AnnotationRevision.annotation_id == annotation_id, AnnotationRevision.revision == revision - 1
    )
    row = connection.execute(wanted).one_or_none()
    return None if row is None else (AnnotationContent.model_validate(row.content), row.is_deleted)


@dataclass(frozen=True, slots=True)
class Draft:
    """An annotation as it is to be written, and why."""

    annotation: Annotation
    """With the revision it is to have; its times are filled in when it is written."""
    action: Action
    is_deleted: bool = False
    moves_pixels: bool = True
    """Whether other pixels belong to it than before; what it says of them changes no picture."""

    @classmethod
    def new(cls, annotation_id: str, image_id: str, content: AnnotationContent, action: Action) -> Self:
        """Return the first revision of an annotation."""
        return cls(_stamped(content, annotation_id, image_id, 1, NEVER), action)

    @classmethod
    def of(cls, current: Annotation, content: AnnotationContent, action: Action, *, is_deleted: bool = False) -> Self:
        """Return the next revision of an annotation."""
        after = _stamped(content, current.id, current.image_id, current.revision + 1, current.created_at)
        moves_pixels = (content.frames, content.box) != (current.frames, current.box)
        return cls(after, action, is_deleted, moves_pixels)

    @classmethod
    def moved(cls, current: Annotation, span: Span) -> Self:
        """Return a neighbour with another range."""
        return cls.of(current, _with_span(current.content, span), "neighbour")

    @classmethod
    def split(cls, annotation_id: str, whole: Annotation, span: Span) -> Self:
        """Return the end that was cut off an annotation, saying the same."""
        return cls.new(annotation_id, whole.image_id, _with_span(whole.content, span), "split")


@dataclass(frozen=True, slots=True)
class Author:
    """Who saves, when, under which name of theirs, and what every new annotation gets."""

    name: str
    at: datetime
    save_id: str | None
    kinds: Sequence[str]
    """Kinds of artifact that every annotation has."""


def write_change(connection: Connection, drafts: Sequence[Draft], action: Action, by: Author) -> Saved:
    """Write one change with everything that follows from it. The first draft is what was asked for."""
    asked = drafts[0].annotation
    change_id = new_id()
    _write_annotations(connection, drafts, by)
    _mark(connection, drafts, by)
    change = {"id": change_id, "annotation_id": asked.id, "action": action, "author": by.name, "at": by.at}
    connection.execute(_ADD_CHANGE, {**change, "save_id": by.save_id, "undone_by": None})
    connection.execute(
        _ADD_REVISION,
        [
            {
                "annotation_id": draft.annotation.id,
                "revision": draft.annotation.revision,
                "change_id": change_id,
                "action": draft.action,
                "content": draft.annotation.content.model_dump(mode="json"),
                "is_deleted": draft.is_deleted,
            }
            for draft in drafts
        ],
    )
    write_events(connection, [_news(draft) for draft in drafts])
    first, *others = (_written(draft, by) for draft in drafts)
    return Saved(annotation=first, neighbours=tuple(others), change_id=change_id)


def _written(draft: Draft, by: Author) -> Annotation:
    """Return an annotation as it is in the catalog now."""
    is_new = draft.annotation.revision == 1
    times = {"created_at": by.at if is_new else draft.annotation.created_at, "updated_at": by.at}
    gone = by.at if draft.is_deleted else None
    return draft.annotation.model_copy(update={"author": by.name, "deleted_at": gone, **times})


def _mark(connection: Connection, drafts: Sequence[Draft], by: Author) -> None:
    """Make stale what is derived from annotations, in the transaction that changes what it is derived from."""
    asked, who = drafts[0].annotation, by.name or "somebody"
    new = [
        new_artifact(kind, draft.annotation.image_id, by.at, f"annotated by {who}", draft.annotation.id)
        for draft in drafts
        if draft.annotation.revision == 1
        for kind in by.kinds
    ]
    execute_many(connection, _ADD_ARTIFACT, new)
    moved = [draft for draft in drafts if draft.annotation.revision > 1 and draft.moves_pixels]
    if new or moved:
        note_marked(connection, [asked.image_id])
    if moved:
        where = f"{asked.frames.first} to {asked.frames.last} along {asked.frames.axis}"
        words = f"{drafts[0].action} by {who}: frames {where}"
        beside = f"{moved[-1].action} by {who}: beside frames {where}"
        ids = [draft.annotation.id for draft in moved]
        mark_annotations_stale(connection, ids, by.at, cause=words, beside=beside, asked=asked.id)


def _write_annotations(connection: Connection, drafts: Sequence[Draft], by: Author) -> None:
    added, changed = [], []
    for draft in drafts:
        annotation = draft.annotation
        values = {
            "axis": annotation.frames.axis,
            "track": annotation.track,
            "first": annotation.frames.first,
            "last": annotation.frames.last,
            "content": annotation.content.model_dump(mode="json"),
            "revision": annotation.revision,
            "author": by.name,
            "updated_at": by.at,
            "deleted_at": by.at if draft.is_deleted else None,
        }
        if annotation.revision == 1:
            added.append({"id": annotation.id, "image_id": annotation.image_id, "created_at": by.at, **values})
        else:
            new = {f"new_{name}": value for name, value in values.items()}
            changed.append({"annotation_id": annotation.id, **new})
    execute_many(connection, _ADD, added)
    execute_many(connection, _CHANGE, changed)


def _news(draft: Draft) -> News:
    annotation = draft.annotation
    kind = "annotation.deleted" if draft.is_deleted else "annotation.saved"
    return News(kind, annotation.image_id, {"annotation_id": annotation.id, "revision": annotation.revision})


def _stamped(
    content: AnnotationContent, annotation_id: str, image_id: str, revision: int, created_at: datetime
) -> Annotation:
    return Annotation(
        **content.model_dump(),
        id=annotation_id,
        image_id=image_id,
        revision=revision,
        author="",
        created_at=created_at,
        updated_at=NEVER,
    )


def _with_span(content: AnnotationContent, span: Span) -> AnnotationContent:
    return content.model_copy(update={"frames": Frames(axis=content.frames.axis, first=span[0], last=span[1])})
