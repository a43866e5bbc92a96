"""One row of the table of benchmarks: one piece of work, ours beside its limit and its peers, measured in one run."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one piece of work cost every contestant."""

    work: str
    """Such as ``random plane, 500 MB TIFF``."""
    ours: float
    unit: str
    """``ms`` (less is better) or ``/s`` (more is better)."""
    limit: float | None = None
    """The work with plain reads at known offsets and bare NumPy or OpenCV; ``None`` where that means nothing."""
    peers: Mapping[str, float] = field(default_factory=dict)
    """Contestant -> its number."""
    goal: str
    """In words, such as ``within 1.3x of the limit``."""
    reached: bool
    note: str = ""
    """Memory, conditions, or why a goal was not reached."""


def take_turns(contestants: Mapping[str, Callable[[], object]], rounds: int = 7) -> dict[str, float]:
    """Return the median milliseconds of each contestant. They take turns, so that a busy moment hits all of them."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, call in contestants.items():
            gc.collect()
            start = time.perf_counter()
            call()
            taken[name].append((time.perf_counter() - start) * 1e3)
    return {name: statistics.median(times) for name, times in taken.items()}
