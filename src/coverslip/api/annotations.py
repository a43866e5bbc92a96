"""The routes of annotations: read, save, delete, undo."""

from typing import Annotated, Any, Self

from fastapi import APIRouter, Body, Query
from pydantic import BaseModel, Field, model_validator

from coverslip.api.errors import responses
from coverslip.api.rooms import InRooms
from coverslip.model.annotations import Annotation, AnnotationContent, AnnotationRevision, Name, Saved

router = APIRouter(prefix="/api", tags=["annotations"])

SaveId = Annotated[str, Field(min_length=1, max_length=128)]
Author = Annotated[Name, Query(description="Who does it.")]


class HowSaved(BaseModel):
    """What every save says beside what it changes."""

    author: Name = ""
    """Who saves."""
    save_id: SaveId | None = None
    """The client's own name of this save, such as a UUID: a save that arrives twice is done once."""
    tiled: bool = True
    """Whether the other ranges of the track make room, so that all tile it without gap or overlap."""


class NewAnnotation(AnnotationContent, HowSaved):
    """A new annotation."""

    @property
    def content(self) -> AnnotationContent:
        """What it says."""
        return AnnotationContent(**{name: getattr(self, name) for name in AnnotationContent.model_fields})


class ChangedAnnotation(HowSaved):
    """New values of the fields of an annotation; those that are absent stay as they are."""

    model_config = {"extra": "allow", "json_schema_extra": {"examples": [{"revision": 3, "label": "division"}]}}

    revision: Annotated[int, Field(ge=1)]
    """The revision that was edited. Another one is there now: 409 with that one as ``current``."""

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that were sent."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _check(self) -> Self:
        unknown = sorted(set(self.changes) - set(AnnotationContent.model_fields))
        if unknown:
            known = ", ".join(AnnotationContent.model_fields)
            raise ValueError(f"an annotation has no {', '.join(unknown)}; it has {known}")
        return self


class AnnotationList(BaseModel):
    """The annotations of one image, by axis and track, earliest frame first."""

    annotations: tuple[Annotation, ...]
    total: int


class History(BaseModel):
    """Every revision of one annotation, newest first."""

    revisions: tuple[AnnotationRevision, ...]


@router.get("/images/{image_id}/annotations", response_model=AnnotationList, responses=responses(404, 503))
def list_annotations(rooms: InRooms, image_id: str, track: Name | None = None) -> AnnotationList:
    """List the annotations of an image, or of one of its tracks."""
    found = rooms.catalog.annotations_of(image_id, track=track)
    return AnnotationList(annotations=found, total=len(found))


@router.post(
    "/images/{image_id}/annotations", response_model=Saved, status_code=201, responses=responses(400, 404, 409, 503)
)
def create_annotation(rooms: InRooms, image_id: str, new: NewAnnotation) -> Saved:
    """Annotate a range of frames."""
    return rooms.catalog.create_annotation(
        image_id, new.content, author=new.author, save_id=new.save_id, tiled=new.tiled
    )


@router.get("/annotations/{annotation_id}", response_model=Annotation, responses=responses(404, 503))
def get_annotation(rooms: InRooms, annotation_id: str) -> Annotation:
    """Return one annotation; a deleted one has ``deleted_at``."""
    return rooms.catalog.annotation(annotation_id)


@router.patch("/annotations/{annotation_id}", response_model=Saved, responses=responses(400, 404, 409, 503))
def save_annotation(rooms: InRooms, annotation_id: str, changed: ChangedAnnotation) -> Saved:
    """Change an annotation. What is derived from it is stale from this moment on."""
    return rooms.catalog.save_annotation(
        annotation_id,
        changed.changes,
        revision=changed.revision,
        author=changed.author,
        save_id=changed.save_id,
        tiled=changed.tiled,
    )


@router.delete("/annotations/{annotation_id}", response_model=Saved, responses=responses(404, 409, 503))
def delete_annotation(
    rooms: InRooms,
    annotation_id: str,
    revision: Annotated[int, Query(ge=1, description="The revision that is to be deleted.")],
    author: Author = "",
    save_id: Annotated[SaveId | None, Query()] = None,
    tiled: Annotated[bool, Query(description="Whether the range before grows where another follows.")] = True,
) -> Saved:
    """Hide an annotation; undo brings it back."""
    return rooms.catalog.delete_annotation(
        annotation_id, revision=revision, author=author, save_id=save_id, tiled=tiled
    )


@router.get("/annotations/{annotation_id}/history", response_model=History, responses=responses(404, 503))
def get_history(rooms: InRooms, annotation_id: str) -> History:
    """Return every revision of an annotation."""
    return History(revisions=rooms.catalog.annotation_history(annotation_id))


@router.post("/annotations/{annotation_id}/undo", response_model=Saved, responses=responses(400, 404, 409, 503))
def undo_annotation(
    rooms: InRooms,
    annotation_id: str,
    author: Annotated[Name, Body(embed=True)] = "",
    save_id: Annotated[SaveId | None, Body(embed=True)] = None,
    revision: Annotated[
        int | None,
        Body(embed=True, ge=1, description="The revision that was looked at; another one is there now: 409."),
    ] = None,
) -> Saved:
    """Take back its latest change that is not taken back yet, with the neighbours that moved with it."""
    return rooms.catalog.undo_annotation(annotation_id, revision=revision, author=author, save_id=save_id)
