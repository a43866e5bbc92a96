"""What became of removals: what a plan came to, the log, and what was purged; as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from coverslip.model.removal import BrakeStop


@dataclass(frozen=True, slots=True)
class Applied:
    """What applying or undoing a plan came to."""

    plan_id: str
    removed: tuple[int, ...] = ()
    """Public numbers of rows that are tombstones now."""
    restored: tuple[int, ...] = ()
    """Public numbers of rows that are back."""
    stopped: tuple[BrakeStop, ...] = ()
    """Scopes that the brake held back."""
    removed_images: tuple[str, ...] = ()
    """Identifiers of images that are deleted now."""
    restored_images: tuple[str, ...] = ()
    """Identifiers of images that are back."""
    purged: tuple[int, ...] = ()
    """Public numbers of rows that an undo cannot bring back: they were removed for good."""
    purged_images: tuple[str, ...] = ()
    """Identifiers of images of which the same holds."""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the log of removals. Lines are only ever added."""

    seq: int
    """Counts from 1 without a gap."""
    at: datetime
    actor: str
    action: str
    """``plan``, ``remove``, ``merge``, ``restore``, ``purge``."""
    plan_id: str
    command: str
    scope: str
    reason: str
    record: dict[str, Any]
    """The row as it was before."""
    hash: str
    """SHA-256 over its canonical JSON and the hash of the line before, in hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class AuditProblem:
    """Something that is not as it was written."""

    seq: int
    kind: Literal["changed", "missing", "reordered"]
    words: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True, slots=True)
class CleanupTotals:
    """What all cleanups of a catalog came to so far."""

    rows: Mapping[str, int]
    """``found``, ``unknown``, ``incomplete``, ``removed``, ``merged``, ``restored``, ``purged``."""
    stops: int = 0
    requests: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Along:
    """What goes along with one row."""

    authors: int = 0
    links: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge of tombstones came to."""

    ids: tuple[int, ...] = ()
    """Public numbers of the rows that are gone. They are never given again."""
    plans: tuple[str, ...] = ()
    """Plans that can no longer be undone."""
