"""What became of the artifacts that were to be published."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class PublishedItem:
    """One thing that is published: a precompute, a viewer state, a photo."""

    identity: str
    """Of the annotation or tomogram."""
    what: str
    """``neuroglancer_config``, ``key-photo-snapshot``, ``orientedpoint`` ..."""
    outcome: Literal["written", "unchanged", "failed"]
    objects: int = 0
    """How many were written."""
    bytes: int = 0
    removed: int = 0
    """How many it had before and has no more."""
    reason: str = ""
    """Why it failed."""


@dataclass(frozen=True, slots=True)
class PublishReport:
    """What was published."""

    items: tuple[PublishedItem, ...] = ()
    is_stopped: bool = False
    seconds: float = 0.0

    @property
    def counts(self) -> Mapping[str, int]:
        """How many were written, unchanged and failed."""
        return Counter(one.outcome for one in self.items)

    @property
    def failed(self) -> tuple[PublishedItem, ...]:
        """What could not be published."""
        return tuple(one for one in self.items if one.outcome == "failed")

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it; what is unchanged is only counted."""
        return {
            "written": [asdict(one) for one in self.items if one.outcome == "written"],
            "failed": [asdict(one) for one in self.failed],
            "unchanged": self.counts.get("unchanged", 0),
            "objects": sum(one.objects for one in self.items),
            "bytes": sum(one.bytes for one in self.items),
            "stopped": self.is_stopped,
            "seconds": round(self.seconds, 3),
        }
