"""Annotations: saved, deleted and undone with everything that follows from it, each in one transaction."""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, and_, bindparam, select

from coverslip.catalog.annotation_moves import (
    change_to_undo,
    closing_up,
    neighbours_of,
    note_undone,
    place_on_track,
    taken_back,
)
from coverslip.catalog.annotation_rows import (
    ANNOTATION,
    Extent,
    check_content,
    image_of,
    locked_extent,
    one_annotation,
    some_annotations,
    to_annotation,
)
from coverslip.catalog.annotation_tables import Annotation as Row
from coverslip.catalog.annotation_tables import AnnotationChange, AnnotationRevision
from coverslip.catalog.annotation_writes import Author, Draft, write_change
from coverslip.catalog.part import Part, known_form, new_id
from coverslip.errors import ConflictError, InvalidRequestError, NotFoundError, RevisionConflictError
from coverslip.model.annotations import Annotation, AnnotationContent, Saved
from coverslip.model.annotations import AnnotationRevision as Revision


class Annotations(Part):
    """Reading and saving annotations."""

    def annotations_of(self, image_id: str, *, track: str | None = None) -> tuple[Annotation, ...]:
        """Return the annotations of an image that are not deleted, by axis and track, earliest frame first.

        Raises
        ------
        NotFoundError
            There is no such image, or it is deleted.
        """
        wanted = select(*ANNOTATION).where(Row.image_id == known_form(image_id), Row.deleted_at.is_(None))
        if track is not None:
            wanted = wanted.where(Row.track == track)
        with self._database.reading() as connection:
            Extent.of(connection, image_id)
            rows = connection.execute(wanted.order_by(Row.axis, Row.track, Row.first, Row.id))
            return tuple(to_annotation(row) for row in rows)

    def annotation(self, annotation_id: str) -> Annotation:
        """Return one annotation; a deleted one says so.

        Raises
        ------
        NotFoundError
            There is no such annotation.
        """
        with self._database.reading() as connection:
            return one_annotation(connection, annotation_id)

    def get_annotations(self, annotation_ids: Iterable[str]) -> dict[str, Annotation]:
        """Return those of some annotations that are there and not deleted, by identifier."""
        with self._database.reading() as connection:
            found = some_annotations(connection, annotation_ids)
        return {name: one for name, one in found.items() if one.deleted_at is None}

    def create_annotation(
        self, image_id: str, content: AnnotationContent, *, author: str = "", save_id: str | None = None, tiled: bool
    ) -> Saved:
        """Add an annotation.

        Parameters
        ----------
        image_id
            What it is about.
        content
            What it says.
        author
            Who says it.
        save_id
            The client's own name of this save: done once, however often it arrives.
        tiled
            Whether the other ranges of its track make room, so that all tile it without gap or overlap.

        Raises
        ------
        NotFoundError
            There is no such image, or it is deleted.
        InvalidRequestError
            The frames or the box lie outside the image.
        ConflictError
            A neighbour would have no frame left, or the save id belongs to another save.
        """
        with self._database.writing() as connection:
            if save_id and (replay := _replay(connection, save_id, image_id=image_id)):
                return replay
            extent = locked_extent(connection, image_id)
            check_content(content, extent)
            draft = Draft.new(new_id(), image_id, content, "create")
            drafts = [draft, *(neighbours_of(connection, draft) if tiled else [])]
            return write_change(connection, drafts, "create", self._by(author, save_id))

    def save_annotation(
        self,
        annotation_id: str,
        changes: Mapping[str, Any],
        *,
        revision: int,
        author: str = "",
        save_id: str | None = None,
        tiled: bool,
    ) -> Saved:
        """Change what an annotation says.

        Parameters
        ----------
        annotation_id
            Which one.
        changes
            New values of fields of ``AnnotationContent``, in the form its JSON document has; others stay.
        revision
            The revision that was edited.
        author, save_id, tiled
            As for ``create_annotation``.

        Raises
        ------
        NotFoundError
            There is no such annotation, or it or its image is deleted.
        RevisionConflictError
            Somebody else saved first.
        InvalidRequestError
            A value is wrong, or lies outside the image.
        ConflictError
            A neighbour would have no frame left, or the save id belongs to another save.
        """
        with self._database.writing() as connection:
            if save_id and (replay := _replay(connection, save_id, annotation_id=annotation_id)):
                return replay
            extent, current = _locked(connection, annotation_id, revision)
            content = _changed(current.content, changes)
            check_content(content, extent)
            draft = Draft.of(current, content, "save")
            drafts = [draft]
            if tiled:
                drafts += neighbours_of(connection, draft)
                if place_on_track(current) != place_on_track(draft.annotation):
                    drafts += closing_up(connection, current)
            return write_change(connection, drafts, "save", self._by(author, save_id))

    def delete_annotation(
        self, annotation_id: str, *, revision: int, author: str = "", save_id: str | None = None, tiled: bool
    ) -> Saved:
        """Hide an annotation; undo brings it back. The parameters are those of ``save_annotation``.

        Between two neighbours no gap is left: the one before grows.

        Raises
        ------
        NotFoundError
            There is no such annotation, or it or its image is deleted.
        RevisionConflictError
            Somebody else saved first.
        ConflictError
            The save id belongs to another save.
        """
        with self._database.writing() as connection:
            if save_id and (replay := _replay(connection, save_id, annotation_id=annotation_id)):
                return replay
            _, current = _locked(connection, annotation_id, revision)
            drafts = [Draft.of(current, current.content, "delete", is_deleted=True)]
            drafts += closing_up(connection, current) if tiled else []
            return write_change(connection, drafts, "delete", self._by(author, save_id))

    def undo_annotation(
        self, annotation_id: str, *, revision: int | None = None, author: str = "", save_id: str | None = None
    ) -> Saved:
        """Take back the latest change of an annotation that is not taken back yet, with all that followed from it.

        An annotation of which the creation was taken back is deleted; undo takes that back, so it is there again.

        Parameters
        ----------
        annotation_id
            Which one.
        revision
            The revision that was looked at; ``None`` takes back whatever is the latest change.
        author, save_id
            As for ``create_annotation``.

        Raises
        ------
        NotFoundError
            There is no such annotation, or its image is deleted.
        RevisionConflictError
            Somebody else saved first.
        InvalidRequestError
            What would be there again lies outside the image, of which the file changed.
        ConflictError
            Nothing is left to undo; the latest change was asked for on another annotation; a neighbour was changed
            since; or a range would come back where another one is now. Says what has to be done first.
        """
        with self._database.writing() as connection:
            if save_id and (replay := _replay(connection, save_id, annotation_id=annotation_id)):
                return replay
            extent = locked_extent(connection, image_of(connection, annotation_id))
            current = one_annotation(connection, annotation_id)
            if revision is not None:
                _check_revision(current, revision)
            change = change_to_undo(connection, current)
            saved = write_change(connection, taken_back(connection, change, extent), "undo", self._by(author, save_id))
            note_undone(connection, change, saved.change_id)
            return saved

    def _by(self, author: str, save_id: str | None) -> Author:
        return Author(author, self._clock(), save_id, self._annotation_kinds, self._entity_kinds)

    def annotation_history(self, annotation_id: str) -> tuple[Revision, ...]:
        """Return every revision of an annotation, the newest first.

        Raises
        ------
        NotFoundError
            There is no such annotation.
        """
        wanted = (
            select(AnnotationRevision, AnnotationChange.author, AnnotationChange.at, AnnotationChange.undone_by)
            .join(AnnotationChange, AnnotationChange.id == AnnotationRevision.change_id)
            .where(AnnotationRevision.annotation_id == annotation_id)
            .order_by(AnnotationRevision.revision.desc())
        )
        with self._database.reading() as connection:
            one_annotation(connection, annotation_id)
            return tuple(
                Revision(
                    revision=row.revision,
                    action=row.action,
                    author=row.author,
                    at=row.at,
                    content=row.content,
                    is_deleted=row.is_deleted,
                    change_id=row.change_id,
                    undone=row.undone_by is not None,
                )
                for row in connection.execute(wanted)
            )


def _locked(connection: Connection, annotation_id: str, revision: int) -> tuple[Extent, Annotation]:
    """Return the annotation to be changed, with its image locked, once it is still what the editor saw."""
    extent = locked_extent(connection, image_of(connection, annotation_id))
    current = one_annotation(connection, annotation_id)
    if current.deleted_at is not None:
        raise NotFoundError(f"annotation {annotation_id} is deleted; undo brings it back")
    _check_revision(current, revision)
    return extent, current


def _check_revision(current: Annotation, revision: int) -> None:
    """Refuse to go on from a revision that is not the present one."""
    if current.revision != revision:
        raise RevisionConflictError(
            f"annotation {current.id} is at revision {current.revision}, the one that was edited is {revision}: "
            "look at what is there now and save again",
            current,
        )


def _changed(content: AnnotationContent, changes: Mapping[str, Any]) -> AnnotationContent:
    try:
        return AnnotationContent.model_validate({**content.model_dump(mode="json"), **changes})
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors()]
        raise InvalidRequestError("the annotation is not valid: " + "; ".join(wrong), wrong) from error


_SAVED = (
    select(AnnotationChange.id, AnnotationChange.annotation_id, Row.image_id)
    .join(Row, Row.id == AnnotationChange.annotation_id)
    .where(AnnotationChange.save_id == bindparam("save_id"))
)


def _replay(connection: Connection, save_id: str, **expected: str) -> Saved | None:
    """Return what a save did when it was done the first time; ``None`` when this is the first time."""
    found = connection.execute(_SAVED, {"save_id": save_id}).one_or_none()
    if found is None:
        return None
    if any(getattr(found, name) != value for name, value in expected.items()):
        raise ConflictError(f"the save id {save_id!r} belongs to another save: every save needs one of its own")
    now = select(*ANNOTATION).join(
        AnnotationRevision,
        and_(AnnotationRevision.annotation_id == Row.id, AnnotationRevision.change_id == found.id),
    )
    touched = {row.id: to_annotation(row) for row in connection.execute(now)}
    first = touched.pop(found.annotation_id)
    return Saved(annotation=first, neighbours=tuple(touched.values()), change_id=found.id, is_replay=True)
