"""What people say about images: the one annotation model, as frozen values."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from coverslip.model.metadata import Finite, Frozen

FrameAxis = Literal["t", "z"]
"""The axis that frames follow each other along: time (time-lapse, video) or depth (z-stack, tomogram)."""
Stage = Literal["boundaries", "text"]
"""The two steps of annotating: where it begins and ends, then what it says."""
StageState = Literal["wait", "annotate", "review", "done", "error"]
"""How a stage stands: its turn has not come, somebody works on it, somebody else looks at it, finished, given up."""
Action = Literal["create", "save", "neighbour", "split", "delete", "undo"]
"""Why there is a revision: asked for by a person, or (``neighbour``, ``split``) following from what was asked."""

Name = Annotated[str, Field(max_length=256)]
Coordinate = Annotated[Finite, Field(ge=-1e9, le=1e9)]
MAX_POINTS = 10_000


class Box(Frozen):
    """A rectangle in pixels of the image at full resolution."""

    x: Annotated[int, Field(ge=0)]
    """Left edge."""
    y: Annotated[int, Field(ge=0)]
    """Upper edge."""
    width: Annotated[int, Field(ge=1)]
    height: Annotated[int, Field(ge=1)]


class Point(Frozen):
    """A place in pixels of the image at full resolution; 0, 0 is the upper left corner of the first pixel."""

    x: Coordinate
    y: Coordinate


class Polygon(Frozen):
    """A closed outline."""

    type: Literal["polygon"] = "polygon"
    points: Annotated[tuple[Point, ...], Field(min_length=3, max_length=MAX_POINTS)]
    """The corners; the last one is joined to the first."""


class Points(Frozen):
    """Single places."""

    type: Literal["points"] = "points"
    points: Annotated[tuple[Point, ...], Field(min_length=1, max_length=MAX_POINTS)]


Shape = Annotated[Polygon | Points, Field(discriminator="type")]


class Frames(Frozen):
    """A range of frames, both ends included; the first frame of an image is 0."""

    axis: FrameAxis = "t"
    first: Annotated[int, Field(ge=0, le=2**31 - 1)]
    last: Annotated[int, Field(ge=0, le=2**31 - 1)]

    @model_validator(mode="after")
    def _check(self) -> "Frames":
        if self.last < self.first:
            raise ValueError(f"frames {self.first} to {self.last}: the first must not come after the last")
        return self

    def __len__(self) -> int:
        return self.last - self.first + 1


class Stages(Frozen):
    """How each stage stands."""

    boundaries: StageState = "annotate"
    text: StageState = "wait"


class AnnotationContent(Frozen):
    """What an annotation says: all that a person edits."""

    track: Annotated[Name, Field(min_length=1)] = "events"
    """Annotations of one track and axis of an image follow each other; those of different tracks may overlap."""
    frames: Frames
    box: Box | None = None
    """``None`` is the whole image."""
    shapes: Annotated[tuple[Shape, ...], Field(max_length=1000)] = ()
    label: Name = ""
    text: Annotated[str, Field(max_length=100_000)] = ""
    stages: Stages = Stages()


class Annotation(AnnotationContent):
    """An annotation as the catalog keeps it."""

    id: str
    image_id: str
    revision: Annotated[int, Field(ge=1)]
    """Counts its changes; who saves says which one was edited."""
    author: Name
    """Who made the latest revision; empty where nobody was named."""
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None

    @property
    def content(self) -> AnnotationContent:
        """What a person edits of it."""
        return AnnotationContent(**{name: getattr(self, name) for name in AnnotationContent.model_fields})


class AnnotationRevision(Frozen):
    """One entry of an annotation's history."""

    revision: int
    action: Action
    author: Name
    at: datetime
    content: AnnotationContent
    is_deleted: bool
    change_id: str
    """All revisions that one save made, of neighbours too, have the same."""
    undone: bool
    """Whether the whole change was undone later, and that was not taken back."""


class Saved(Frozen):
    """What a save did, in one transaction."""

    annotation: Annotation
    neighbours: tuple[Annotation, ...] = ()
    """Annotations of the same track that gave way or followed, as they are now."""
    change_id: str
    is_replay: bool = False
    """Whether this save had been done before, under the same client id, and was not done again."""
