"""Making removals of records final: tombstones go, plan by plan, each in one transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.orm import aliased

from coverslip.catalog import plan_rows
from coverslip.catalog.around import numbers
from coverslip.catalog.audit import Line, append
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.part import Part
from coverslip.catalog.removal_tables import Plan as PlanRow
from coverslip.catalog.tables import Artifact
from coverslip.catalog.tombstones import lock_rows
from coverslip.model.removal import (
    Permit,
    Removal,
    Scope,
    anything,
)
from coverslip.model.removed import Purged

_Below = aliased(Entity)


class Purges(Part):
    """Tombstones of records, and their end."""

    def tombstones(self, before: datetime, *, actor: str = "", permitted: Permit = anything) -> list[Removal]:
        """Return the rows that were removed before a time and not purged yet, in the order of their numbers.

        Those that the actor may not remove are left out.
        """
        wanted = select(*Entity.__table__.columns).where(Entity.deleted_at <= before).order_by(Entity.id)
        with self._database.reading() as connection:
            found = [_removal(row) for row in connection.execute(wanted)]
        return [one for one in found if permitted(actor, one)]

    def purge_tombstones(self, before: datetime, *, actor: str = "", permitted: Permit = anything) -> Purged:
        """Remove for good the rows that were removed before a time, plan by plan, each in one transaction.

        Their artifacts lose their records with them, so the next collection of the storage frees their bytes. A plan
        of which nothing is left can no longer be undone. What still contains something stays, as does what the actor
        may not remove. Nothing is made stale: whatever showed the rows was marked when they were removed, and nothing
        that is built reads a tombstone.
        """
        gone: list[int] = []
        plans: list[str] = []
        with self._database.reading() as connection:
            wanted = select(Entity.removed_by).where(Entity.deleted_at <= before).distinct()
            ids = sorted(connection.scalars(wanted), key=str)
        for plan_id in ids:
            with self._database.writing() as connection:
                purged, is_over = _purge(connection, plan_id, before, actor, permitted, self._clock())
            gone += purged
            if is_over and plan_id:
                plans.append(plan_id)
        return Purged(tuple(gone), tuple(plans))


def _purge(
    connection: Connection, plan_id: str | None, before: datetime, actor: str, permitted: Permit, now: datetime
) -> tuple[list[int], bool]:
    """Purge what one plan removed, what lies in something before what contains it; tell whether nothing is left."""
    plan = None if plan_id is None else plan_rows.find(connection, plan_id)
    is_its = Entity.removed_by.is_(None) if plan_id is None else Entity.removed_by == plan_id
    due = connection.scalars(select(Entity.id).where(is_its, Entity.deleted_at <= before)).all()
    rows = lock_rows(connection, due, deleted=True)
    left = {
        number: row
        for number, row in rows.items()
        if row.deleted_at is not None and row.deleted_at <= before and permitted(actor, _removal(row))
    }
    gone: list[int] = []
    while leaves := _leaves(connection, left):
        for some in numbers(leaves):
            connection.execute(delete(Artifact).where(Artifact.entity_id.in_(some)))
            connection.execute(delete(Entity).where(Entity.id.in_(some)))
        gone += leaves
        for number in leaves:
            del left[number]
    if not gone:
        return [], False
    about = None if plan is None else plan_rows.to_plan(plan).scope
    lines = [_line(actor, plan_id or "", about or Scope("record", layout=rows[one].layout), rows[one]) for one in gone]
    seq, last = append(connection, lines, now)
    is_over = connection.execute(select(Entity.id).where(is_its, Entity.deleted_at.is_not(None))).first() is None
    if plan is not None:
        values = {"audit_seq": seq, "audit_hash": last, **({"state": "purged"} if is_over else {})}
        connection.execute(update(PlanRow).where(PlanRow.id == plan_id).values(values))
    return gone, is_over


def _leaves(connection: Connection, rows: Mapping[int, Any]) -> list[int]:
    """Return those of some rows that contain nothing."""
    found: list[int] = []
    contains = select(_Below.id).where(_Below.parent_id == Entity.id).exists()
    for some in numbers(rows):
        found += connection.scalars(select(Entity.id).where(Entity.id.in_(some), ~contains))
    return sorted(found)


def _line(actor: str, plan_id: str, about: Scope, row: Any) -> Line:
    return Line(actor, "purge", plan_id, "", str(about), "kept long enough", dict(row._mapping))


def _removal(row: Any) -> Removal:
    return Removal(row.type, row.id, row.identity, row.layout, row.key, row.revision)
