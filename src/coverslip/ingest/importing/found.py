"""What reading a layout found, as values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from coverslip.model.entities import EntitySeen

ProblemKind = Literal["unknown", "broken", "held", "incomplete", "unlinked", "duplicate", "unmentioned"]
"""``unknown``: it could not be read or listed, so nobody knows. ``broken``: it was read and makes no sense.
``held``: it was left as it is because something that it depends on is unknown or broken. ``incomplete``: a file or
document that it should have is certainly not there. ``unlinked``: it names an alignment that is not there.
``duplicate``: several are the same by what their documents say. ``unmentioned``: it lies in the layout, and no document
speaks of it."""

TROUBLE: frozenset[ProblemKind] = frozenset({"unknown", "broken", "held"})
"""What keeps an import from being whole; the others describe what is there."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it should be."""

    key: str
    """Its place below the top of the layout."""
    kind: ProblemKind
    reason: str

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Batch:
    """What belongs together and is written together: a deposition, a dataset without its runs, or a run."""

    folder: str
    entities: tuple[EntitySeen, ...] = ()
    """Parents before their children; what is unknown is left out."""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that was found in a layout."""

    root: Path
    batches: tuple[Batch, ...] = ()
    """Depositions, then each dataset and its runs."""
    problems: tuple[Problem, ...] = ()
    """Of what belongs to no batch."""

    @property
    def entities(self) -> dict[str, EntitySeen]:
        """All entities by identity, parents before their children."""
        return {one.identity: one for batch in self.batches for one in batch.entities}

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """All problems, in the order of the batches."""
        return (*(problem for batch in self.batches for problem in batch.problems), *self.problems)
