"""Jobs that export pictures, as frozen values: what was asked for, what became of each item."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

ExportMode = Literal["fov", "cells", "rois"]
"""What a job exports: whole fields of view, single cells, regions of interest."""

ExportState = Literal["pending", "running", "paused", "cancelling", "cancelled", "completed", "failed", "partial"]
"""How a job stands. ``pending``: planned, nobody works on it. ``paused``: stopped before its end, because its process
was killed, somebody asked, or nothing could be written; it goes on where it was. ``cancelling``: ends after the items
under way. ``completed``: every item is there; ``failed``: none is; ``partial``: some are."""

ExportItemState = Literal["pending", "ok", "failed"]

ENDED: frozenset[ExportState] = frozenset({"cancelled", "completed", "failed", "partial"})
"""States in which nothing more happens unless somebody asks for it."""


@dataclass(frozen=True, slots=True)
class PlannedExport:
    """An item before anybody worked on it."""

    number: int
    """Its place in the job, counted from 0."""
    name: str
    """What people call it: a field of view, a cell of it, a region."""
    path: str
    """Where its file goes, relative to the folder of the job, with its ending."""
    group: str
    """Items of one group are from one source, which is opened once for them."""
    document: dict[str, Any] = field(default_factory=dict)
    """Everything else that is frozen about it, as JSON."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What became of an item."""

    number: int
    item_id: str
    """Its name."""
    ok: bool
    path: str
    """Its file, relative to the folder of the job."""
    error_type: str | None = None
    """Name of the class of the error."""
    message: str | None = None
    traceback: str | None = None
    is_retryable: bool = False
    """Whether the same item may well succeed later, with nothing changed about the job: a disk that did not answer."""
    checksum: str | None = None
    """SHA-256 of the file in hexadecimal digits."""
    size: int | None = None
    """Bytes of the file."""
    seconds: float = 0.0
    """How long it took, without the reading of the source that it shares with others."""
    attempts: int = 1
    details: dict[str, Any] = field(default_factory=dict)
    """What was drawn: size in pixels, the length of the scale bar. ``kept`` where the file was there already."""

    @property
    def is_kept(self) -> bool:
        """Whether the file was there already and was left as it was: the job says nothing of what it shows."""
        return self.ok and bool(self.details.get("kept"))


@dataclass(frozen=True, slots=True)
class ExportItem:
    """An item with what became of it."""

    planned: PlannedExport
    state: ExportItemState
    result: ExportResult | None = None
    """``None`` while nobody has worked on it."""


@dataclass(frozen=True, slots=True)
class ExportJob:
    """A job as the catalog knows it."""

    id: str
    mode: ExportMode
    state: ExportState
    message: str | None
    """Why it is paused, or what kept it from beginning."""
    output_dir: str
    document: dict[str, Any] = field(repr=False)
    """What was asked for, frozen, as JSON."""
    total: int
    succeeded: int
    failed: int
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def completed(self) -> int:
        """Items that somebody is done with, well or not."""
        return self.succeeded + self.failed
