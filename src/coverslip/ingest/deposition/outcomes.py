"""What an ingest did, step by step."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

from coverslip.model.entities import EntityChanges

Outcome = Literal["written", "updated", "unchanged", "failed", "skipped"]
"""``written`` for the first time, ``updated`` where it was before; ``failed`` or ``skipped`` for a reason."""


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What became of one step."""

    name: str
    recipe: str
    run: str
    """Its run, such as ``10000/TS_1``; above runs the deposition or dataset."""
    outcome: Outcome
    reason: str = ""
    objects: int = 0
    """Objects written."""
    bytes: int = 0
    """Bytes written."""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    """What an ingest did."""

    steps: tuple[StepOutcome, ...] = ()
    held: tuple[str, ...] = ()
    """Runs that another ingest is at work on: nothing was done to them."""
    failed_runs: Mapping[str, str] = field(default_factory=dict)
    """Runs that could not be begun or ended, with the reason."""
    changes: EntityChanges = field(default_factory=EntityChanges)
    """What became of the entities of the catalog."""
    is_stopped: bool = False
    """Whether somebody asked it to stop before it was through."""
    volumes_opened: int = 0
    """Source volumes whose pixels were asked for."""
    files_opened: int = 0
    """Source files that a step opened, volumes not counted."""
    files_hashed: int = 0
    """Source files that were read to tell their content apart."""
    bytes_read: int = 0
    """Bytes of source files that were opened or hashed."""
    seconds: float = 0.0

    @property
    def counts(self) -> Counter[str]:
        """How many steps had each outcome."""
        return Counter(step.outcome for step in self.steps)

    @property
    def objects_written(self) -> int:
        """Objects written to the destination."""
        return sum(step.objects for step in self.steps)

    @property
    def bytes_written(self) -> int:
        """Bytes written to the destination."""
        return sum(step.bytes for step in self.steps)

    @property
    def is_whole(self) -> bool:
        """Whether everything that was planned is done."""
        is_done = not (self.counts["failed"] or self.counts["skipped"])
        return is_done and not (self.held or self.failed_runs or self.is_stopped)

    def document(self) -> dict[str, object]:
        """Return everything as JSON has it."""
        return {
            **asdict(self),
            "counts": dict(self.counts),
            "objects_written": self.objects_written,
            "bytes_written": self.bytes_written,
            "is_whole": self.is_whole,
        }
