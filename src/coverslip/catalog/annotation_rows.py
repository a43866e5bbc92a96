"""Rows of annotations to frozen values and back, for ``annotations``."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy import Connection, bindparam, select

from coverslip.catalog.annotation_tables import Annotation as Row
from coverslip.catalog.annotation_tables import AnnotationRevision
from coverslip.catalog.part import chunks, known_form, no_such_image
from coverslip.catalog.tables import Image as ImageRow
from coverslip.errors import InvalidRequestError, NotFoundError
from coverslip.model.annotations import Annotation, AnnotationContent
from coverslip.model.tracks import Span

ANNOTATION = tuple(
    getattr(Row, name)
    for name in ("id", "image_id", "content", "revision", "author", "created_at", "updated_at", "deleted_at")
)
"""The columns of which ``to_annotation`` makes one."""


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
