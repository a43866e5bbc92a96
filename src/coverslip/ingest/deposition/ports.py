"""What an ingest asks of whoever remembers for it. All of it belongs to one layout."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from coverslip.model.entities import EntityChanges, EntitySeen, StepRecord

LEASE_SECONDS = 60.0
"""How long a run stays taken after the process that had it was killed."""


class StepLog(Protocol):
    """Which steps were done."""

    def steps(self, prefix: str) -> Mapping[str, StepRecord]:
        """Return the records whose names begin with a prefix, by name.

        Raises
        ------
        CatalogError
            Nobody knows.
        """
        ...

    def note(self, record: StepRecord) -> None:
        """Keep a record instead of the last one of its name; when this returns it survives a power cut.

        Raises
        ------
        CatalogError
            It is not kept.
        """
        ...


class EntityLog(Protocol):
    """Which entities there are."""

    def sync(self, seen: Sequence[EntitySeen], above: Sequence[EntitySeen]) -> EntityChanges:
        """Write entities; nothing is removed.

        Parameters
        ----------
        seen
            Parents before children.
        above
            What contains them and is not written by this ingest, without documents: only who does not know it yet
            writes it.

        Raises
        ------
        CatalogError
            None of them is written.
        """
        ...


class Lease(Protocol):
    """Something that nobody else has for a while."""

    def renew(self) -> bool:
        """Return whether it is still ours, and for its whole time from now on."""
        ...

    def release(self) -> None:
        """Give it back; one that was lost already is no error."""
        ...


class Leases(Protocol):
    """Who works on what."""

    def take(self, name: str, seconds: float) -> Lease | None:
        """Return a lease, or ``None`` where somebody else has it.

        Raises
        ------
        CatalogError
            Nobody knows.
        """
        ...
