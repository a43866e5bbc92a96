"""What the ways of looking have in common."""

from collections.abc import Callable
from dataclasses import dataclass, field

IMAGE_FOLDER = ".zarr"
VIEWER_FOLDER = "NeuroglancerPrecompute"
"""Thousands of files for the viewer, which belong together like those of an image folder."""


@dataclass(slots=True)
class Looked:
    """What a look came to, by keys below the top. What is in neither of the first two is absent."""

    present: set[str] = field(default_factory=set)
    unknown: dict[str, str] = field(default_factory=dict)
    orphans: dict[str, int] = field(default_factory=dict)
    unlisted: dict[str, str] = field(default_factory=dict)
    requests: int = 0


@dataclass(frozen=True, slots=True)
class Patience:
    """When to stop."""

    should_stop: Callable[[], bool]
    now: Callable[[], float]
    until: float

    def ended(self) -> str:
        """Return why nothing more is asked; empty to go on."""
        if self.should_stop():
            return "the look was stopped"
        return "the look took too long" if self.now() > self.until else ""


def unit(key: str) -> str:
    """Return the key of what counts as one: an image folder, the folder of the viewer, or the file itself."""
    if IMAGE_FOLDER not in key and VIEWER_FOLDER not in key:
        return key
    parts = key.split("/")
    for place, part in enumerate(parts):
        if part.endswith(IMAGE_FOLDER) or part == VIEWER_FOLDER:
            return "/".join(parts[: place + 1])
    return key
