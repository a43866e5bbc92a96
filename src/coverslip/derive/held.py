"""Claims that one thread holds: kept alive, ended together where they are quick, given back where they are not."""

import threading
import time
from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Self

from coverslip.catalog import Catalog
from coverslip.derive.outcome import Outcome
from coverslip.errors import CatalogError
from coverslip.jobs import Heartbeat
from coverslip.model.records import Built, Claim

PATIENCE_SECONDS = 0.5
"""What waits behind a long build is somebody else's after this time, and what was built before it is written down."""
WRITE_SECONDS = 0.05
"""Ends of builds are written down together, so often while builds are quick, and once a build takes long."""
MOST_CLAIMS = 64
"""Claims of one transaction, at most."""
BATCH_SECONDS = 0.1
"""As many are claimed together as take about so long."""


class Pace:
    """How many artifacts to claim at once: one while builds are long, more while they are quick."""

    def __init__(self) -> None:
        self.number = 1

    def note(self, number: int, seconds: float) -> None:
        """Take into account how long some builds took. Threads may overwrite each other's: it is an estimate."""
        affordable = int(BATCH_SECONDS * number / max(seconds, 1e-6))
        self.number = max(1, min(affordable, 2 * self.number, MOST_CLAIMS))


class HeldClaims:
    """A ``with`` block in which claims are built one after the other.

    A thread renews the lease of the one under way. Should that take long, it also gives back those not begun, so
    that others build them, and writes down what was built before. What the block leaves is ended when it is left.

    Parameters
    ----------
    catalog
        Gave the claims.
    claims
        From one call of ``Catalog.claim``; at least one.
    lease_seconds
        How long they hold without a sign of life.
    dependents
        For each kind, the kinds made from it.
    """

    def __init__(
        self,
        catalog: Catalog,
        claims: Sequence[Claim],
        lease_seconds: float,
        dependents: Mapping[str, Collection[str]],
    ) -> None:
        self._catalog = catalog
        self._lease = lease_seconds
        self._dependents = dependents
        self._waiting = deque(claims)
        self._current: Claim | None = None
        self._ended: dict[str, datetime | None] = {}  # None: the claim was lost before
        self._built: list[tuple[Claim, Built]] = []
        self._claimed_at = self._written_at = time.monotonic()
        self._guard = threading.Lock()
        every = lease_seconds / 3
        self._heartbeat = Heartbeat(claims[0].artifact_id, self._beat, every, min(PATIENCE_SECONDS, every))

    @property
    def is_lost(self) -> bool:
        """Whether the claim under way belongs to somebody else by now: the result of the work must be dropped."""
        return self._heartbeat.lost

    def next(self) -> Claim | None:
        """Begin with the next claim; ``None`` when none is left, or none that is certainly still ours.

        A process may have been stopped for longer than its leases last, and know nothing of it.
        """
        with self._guard:
            is_ours = time.monotonic() - self._claimed_at < self._lease / 2
            self._current = self._waiting.popleft() if self._waiting and is_ours else None
            return self._current

    def built(self, claim: Claim, built: Built) -> None:
        """Note what was published for the claim under way."""
        with self._guard:
            self._current = None
            self._built.append((claim, built))
            is_due = not self._waiting or time.monotonic() - self._written_at >= WRITE_SECONDS
            if is_due:
                self._write()

    def write(self) -> None:
        """Write down now what was built so far."""
        with self._guard:
            self._write()

    def failed(self, claim: Claim, error: str, retry_in_seconds: float) -> bool:
        """Write down that the claim under way failed; ``False`` when it was lost."""
        with self._guard:
            self._current = None
            return self._catalog.fail(claim, error, retry_in_seconds)

    def give_back(self, claim: Claim) -> None:
        """Give back the claim under way, without counting an attempt."""
        with self._guard:
            self._current = None
            self._catalog.release(claim)

    def let_go(self) -> None:
        """Give back the claim under way and all that were to follow it."""
        with self._guard:
            claims = [claim for claim in (self._current, *self._waiting) if claim is not None]
            self._current = None
            self._waiting.clear()
            if claims:
                self._catalog.release(*claims)

    def settled(self, outcome: Outcome) -> Outcome:
        """Return an outcome with what is known of it after the block: whether it counts, and how long it took."""
        claim = outcome.claim
        if outcome.state != "built":
            return outcome
        ended = self._ended[claim.artifact_id]
        if ended is None:
            return replace(outcome, state="lost")
        lag = None if claim.stale_since is None else (ended - claim.stale_since).total_seconds()
        return replace(outcome, lag=lag)

    def __enter__(self) -> Self:
        self._heartbeat.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heartbeat.__exit__(kind, error, trace)
        try:
            self.write()
            self.let_go()
        except CatalogError:
            if error is None:
                raise  # otherwise the first error says more; the leases run out by themselves

    def _write(self) -> None:
        if self._built:
            ours = self._catalog.finish(self._built, self._dependents)
            now = self._catalog.now()
            self._ended |= {claim.artifact_id: now if claim.artifact_id in ours else None for claim, _ in self._built}
            self._built.clear()
        self._written_at = time.monotonic()

    def _beat(self) -> bool:
        """Renew what is under way, and let go of what waits; return False when the first was lost."""
        with self._guard:
            is_ours = self._current is None or self._catalog.heartbeat(self._current, self._lease)
            self._write()
            if self._waiting:
                self._catalog.release(*self._waiting)
                self._waiting.clear()
            return is_ours
