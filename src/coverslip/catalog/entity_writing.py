"""One batch of entities, written one by one in a transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from coverslip.catalog import plan_rows
from coverslip.catalog.around import numbers
from coverslip.catalog.audit import Line, append
from coverslip.catalog.cleaning import is_held
from coverslip.catalog.entity_marks import EntityMarks, Seen
from coverslip.catalog.entity_rows import to_files, values_of
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.part import chunks
from coverslip.catalog.tombstones import is_as_planned, remove_rows
from coverslip.errors import NotFoundError
from coverslip.model.entities import EntitySeen
from coverslip.model.removal import CleanupPlan, Removal, Scope


def lock_known(connection: Connection, layout: str, identities: Iterable[str]) -> dict[str, Any]:
    """Return what is known of entities, by identity, locked in the order in which everybody locks."""
    known: dict[str, Any] = {}
    for some in chunks(identities):
        wanted = select(*Entity.__table__.columns).where(Entity.layout == layout, Entity.identity.in_(some))
        rows = connection.execute(wanted.order_by(Entity.identity).with_for_update())
        known |= {row.identity: row for row in rows}
    return known


def identities_of(connection: Connection, ids: Iterable[int | None]) -> list[str]:
    """Return the identities of some rows."""
    return [
        identity
        for some in numbers(number for number in ids if number is not None)
        for identity in connection.scalars(select(Entity.identity).where(Entity.id.in_(some)))
    ]


@dataclass(slots=True)
class Writing:
    """One batch of entities, written one by one."""

    connection: Connection
    layout: str
    known: dict[str, Any]
    now: datetime
    marks: EntityMarks
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    revived: list[Any] = field(default_factory=list)
    """Rows as they were that had been removed and were seen again."""

    def write(self, one: EntitySeen) -> None:
        """Write one entity, and note what follows from it."""
        parent = self.known.get(one.parent) if one.parent is not None else None
        if one.parent is not None and (parent is None or parent.deleted_at is not None):
            raise NotFoundError(f"{one.identity}: its parent {one.parent} is not in the catalog")
        before, values = self.known.get(one.identity), values_of(one, self.layout)
        values["parent_id"] = parent.id if parent else None
        values["incomplete_since"] = _incomplete_since(one, before, self.now)
        values["run_id"] = (parent.id if parent.type == "run" else parent.run_id) if parent else None
        if before is not None and before.deleted_at is not None:
            self.revived.append(before)
            values |= {"deleted_at": None, "removed_by": None}
        if before is not None and all(getattr(before, name) == value for name, value in values.items()):
            self.marks.look_at(before.run_id)
            self.unchanged.append(one.identity)
            return
        after = self.known[one.identity] = self._put(one.identity, before, values)
        was_there = before is not None and before.deleted_at is None
        self.marks.note(_seen(before) if was_there else None, _seen(after))
        if before is not None and not was_there:
            self.marks.note_shapes(_seen(before), _seen(after))

    def write_log(self) -> None:
        """Write down what came back. Before events are written."""
        scope = str(Scope("record", layout=self.layout))
        lines = [
            Line("", "restore", row.removed_by or "", "", scope, "seen again", dict(row._mapping))
            for row in self.revived
        ]
        if lines:
            append(self.connection, lines, self.now)

    def _put(self, identity: str, before: Any, values: dict[str, Any]) -> Any:
        if before is None:
            self.added.append(identity)
            row = {"layout": self.layout, "identity": identity, "revision": 1, "created_at": self.now}
            statement: Any = insert(Entity).values(**row, **values, updated_at=self.now)
        else:
            self.changed.append(identity)
            new = {**values, "revision": before.revision + 1, "updated_at": self.now}
            statement = update(Entity).where(Entity.id == before.id).values(new)
        return self.connection.execute(statement.returning(*Entity.__table__.columns)).one()


def remove_planned(
    connection: Connection,
    plan: CleanupPlan,
    going: Sequence[Removal],
    seen: Sequence[EntitySeen],
    work: Writing,
    right: str | None = None,
) -> list[str]:
    """Keep a plan as applied and return the identities of the rows that went.

    Without the right to clean, which was lost since, nothing goes, and the plan stays open.
    """
    if right is not None and not is_held(connection, work.layout, right):
        plan_rows.put(connection, plan)
        return []
    stays = {one.identity for one in seen}
    rows = {row.id: row for row in work.known.values()}
    unchanged = [
        one for one in going if is_as_planned(one, rows) and (one.merged_into is not None or one.identity not in stays)
    ]
    plan_rows.put(connection, replace(plan, state="applied", applied_at=work.now))
    merged = remove_rows(connection, plan, unchanged, rows, work.marks)
    if merged:
        plan_rows.note_merged(connection, plan, merged)
    return [one.identity for one in unchanged]


def _seen(row: Any) -> Seen:
    return Seen(row.id, row.type, row.identity, row.run_id, row.alignment, row.document, to_files(row.files))


def _incomplete_since(one: EntitySeen, before: Any, now: datetime) -> datetime | None:
    since: datetime | None = before.incomplete_since if before is not None else None
    return (since or now) if one.missing else None
