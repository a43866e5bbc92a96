"""Counts what this process has built, for whoever watches it."""

import threading
from bisect import bisect_left
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from coverslip.derive.outcome import Outcome

BUILD_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper ends of the classes of build times."""
LAG_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 86400.0)
"""Upper ends of the classes of the time from the change to the fresh artifact."""


@dataclass(slots=True)
class Histogram:
    """How many values fell into each class."""

    ends: tuple[float, ...]
    counts: list[int] = field(default_factory=list)
    """One for each end, and one for what is above the last."""
    total: float = 0.0

    def __post_init__(self) -> None:
        self.counts = self.counts or [0] * (len(self.ends) + 1)

    def add(self, value: float) -> None:
        """Count a value; one that is just an end belongs to the class below it."""
        self.counts[bisect_left(self.ends, value)] += 1
        self.total += value

    def copy(self) -> "Histogram":
        """Return the present state."""
        return Histogram(self.ends, list(self.counts), self.total)


@dataclass(frozen=True, slots=True)
class BuildCounts:
    """What was built since the process started, by kind."""

    built: dict[str, int]
    failed: dict[str, int]
    seconds: dict[str, Histogram]
    """Of builds that succeeded or failed."""
    lag: dict[str, Histogram]
    """Of builds that succeeded: seconds from the first change to the fresh artifact."""


class BuildMetrics:
    """Counters of builds. Safe to use from any number of threads."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._built: Counter[str] = Counter()
        self._failed: Counter[str] = Counter()
        self._seconds: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(BUILD_SECONDS))
        self._lag: defaultdict[str, Histogram] = defaultdict(lambda: Histogram(LAG_SECONDS))

    def record(self, outcome: Outcome) -> None:
        """Count what became of a claim; what was lost or given back is counted by whoever builds it."""
        kind = outcome.claim.kind
        with self._guard:
            if outcome.state == "built":
                self._built[kind] += 1
                if outcome.lag is not None:
                    self._lag[kind].add(max(0.0, outcome.lag))
            elif outcome.state == "failed":
                self._failed[kind] += 1
            else:
                return
            self._seconds[kind].add(outcome.seconds)

    def counts(self) -> BuildCounts:
        """Return the present counts."""
        with self._guard:
            seconds, lag = ({kind: one.copy() for kind, one in some.items()} for some in (self._seconds, self._lag))
            return BuildCounts(dict(self._built), dict(self._failed), seconds, lag)
