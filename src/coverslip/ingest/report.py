"""What a run of ``add`` says about what it did."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal[
    "added", "changed", "unchanged", "touched", "broken", "unknown", "part", "missing", "found", "unreadable"
]


@dataclass(frozen=True, slots=True)
class AddItem:
    """What happened to one file."""

    path: str
    outcome: Outcome
    images: int = 0
    reason: str | None = None


@dataclass(slots=True)
class AddReport:
    """What one run of ``add`` did."""

    files_seen: int = 0
    files_opened: int = 0
    rows_written: int = 0
    images: int = 0
    """Images in the files that were added or changed."""
    outcomes: Counter[Outcome] = field(default_factory=Counter)
    broken: list[AddItem] = field(default_factory=list)
    """Every file that should be an image and cannot be read, those found broken in an earlier run included."""
    missing: list[str] = field(default_factory=list)
    """Cataloged files that a complete listing no longer shows."""
    unreadable: list[AddItem] = field(default_factory=list)
    """Files and folders that could not be looked at; what was known of them is left as it was."""
    stopped: bool = False

    @property
    def is_sound(self) -> bool:
        """Whether everything that should be an image could be read."""
        return not (self.broken or self.unreadable)

    def note(self, item: AddItem) -> None:
        """Count one file."""
        self.outcomes[item.outcome] += 1
        match item.outcome:
            case "broken":
                self.broken.append(item)
            case "unreadable":
                self.unreadable.append(item)
            case "missing":
                self.missing.append(item.path)
