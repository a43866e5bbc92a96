"""Artifacts of kinds that no recipe makes any more: their rows go, and their bytes with the next collection."""

from collections.abc import Collection, Mapping

from sqlalchemy import delete, func, or_, select

from coverslip.catalog.audit import Line, append
from coverslip.catalog.part import Part
from coverslip.catalog.tables import Artifact


class Forgetting(Part):
    """Rows of artifacts that nobody can build."""

    def count_artifacts(self) -> dict[str, int]:
        """Return how many artifacts of each kind have a row."""
        with self._database.reading() as connection:
            rows = connection.execute(select(Artifact.kind, func.count().label("number")).group_by(Artifact.kind))
            return {row.kind: row.number for row in rows}

    def forget_kinds(self, kinds: Collection[str], *, actor: str = "", command: str = "") -> Mapping[str, int]:
        """Remove the rows of some kinds of artifact, one line of the log for each kind; return how many went of each.

        What somebody is building at this moment stays. Whoever has a recipe for a kind gets its rows again.
        """
        now = self._clock()
        is_idle = or_(Artifact.lease_until.is_(None), Artifact.lease_until <= now)
        gone: dict[str, int] = {}
        with self._database.writing() as connection:
            chosen = (Artifact.kind.in_(sorted(kinds)), is_idle)
            counted = select(Artifact.kind, func.count().label("number")).where(*chosen).group_by(Artifact.kind)
            lines = [
                Line(actor, "remove", "", command, "artifacts", "no recipe", _record(row.kind, row.number))
                for row in connection.execute(counted.order_by(Artifact.kind))
            ]
            if lines:
                append(connection, lines, now)
            for kind in sorted(kinds):
                number = connection.execute(delete(Artifact).where(Artifact.kind == kind, is_idle)).rowcount
                gone |= {kind: number} if number else {}
        return gone


def _record(kind: str, number: int) -> dict[str, object]:
    return {"type": "artifact", "id": number, "identity": kind, "rows": number}
