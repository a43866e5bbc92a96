"""What an import says about what it did."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from coverslip.ingest.importing.found import TROUBLE, Problem
from coverslip.ingest.importing.stale import Cleaned
from coverslip.model.entities import EntityChanges, EntitySeen


@dataclass(slots=True)
class ImportReport:
    """What one import did."""

    layout: str
    files: int = 0
    """Files and image folders that the listing showed."""
    entities: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By type: how many were ``added``, ``changed``, ``unchanged``."""
    images: Counter[str] = field(default_factory=Counter)
    """Tomograms and tilt series that can be seen: ``added``, ``unchanged``, ``missing`` ..."""
    images_opened: int = 0
    images_written: int = 0
    """Files of images whose rows were written."""
    problems: list[Problem] = field(default_factory=list)
    cleaned: Cleaned = field(default_factory=Cleaned)
    """What became of records whose documents are gone."""
    stopped: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether everything was read, nothing of it broken, and nothing held back by the brake."""
        return not self.cleaned.stops and not any(problem.kind in TROUBLE for problem in self.problems)

    @property
    def written(self) -> int:
        """Entities and files of images that were written."""
        entities = sum(count for counts in self.entities.values() for what, count in counts.items() if what != SAME)
        return entities + self.images_written + self.cleaned.removed

    def note(self, seen: Iterable[EntitySeen], changes: EntityChanges) -> None:
        """Count what was done with entities."""
        types = {one.identity: one.type for one in seen}
        for outcome, identities in (
            ("added", changes.added),
            ("changed", changes.changed),
            (SAME, changes.unchanged),
        ):
            for identity in identities:
                self.entities[types[identity]][outcome] += 1


SAME = "unchanged"
