"""What a change makes of annotations, written with the marks on what is derived from them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from sqlalchemy import Connection, bindparam, insert, update

from coverslip.catalog.annotation_tables import Annotation as Row
from coverslip.catalog.annotation_tables import AnnotationChange, AnnotationRevision
from coverslip.catalog.events import News, write_events
from coverslip.catalog.followers import mark_followers
from coverslip.catalog.marks import mark_annotations_stale, new_artifact, note_marked
from coverslip.catalog.part import execute_many, new_id
from coverslip.catalog.tables import Artifact
from coverslip.model.annotations import Action, Annotation, AnnotationContent, Frames, Saved
from coverslip.model.entities import EntityKinds
from coverslip.model.tracks import Span

NEVER = datetime.min
# Made once, as in annotation_rows.
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
    following: EntityKinds
    """Which kinds of images follow annotations."""


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
    if by.following.follow_annotations and by.following.are_annotations_followed:
        mark_followers(connection, asked.image_id, by.following, by.at, f"{drafts[0].action} of an annotation by {who}")


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
