"""Records become tombstones and come back, with what follows and a line of the log for each; parts of transactions."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from coverslip.catalog.around import numbers
from coverslip.catalog.audit import Line, append
from coverslip.catalog.entity_marks import EntityMarks, Seen
from coverslip.catalog.entity_rows import to_files
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.events import News
from coverslip.catalog.merging import merge_rows
from coverslip.catalog.removal_tables import Plan as PlanRow
from coverslip.model.removal import CleanupPlan, Removal

REMOVED, RESTORED = "entities.removed", "entities.restored"
"""Types of events: no image of theirs, and the plan and how many."""
Rows = Mapping[int, Any]


def lock_rows(connection: Connection, ids: Iterable[int], *, deleted: bool | None = None) -> dict[int, Any]:
    """Return rows by number, locked in the order in which everybody locks entities; ``deleted`` of both sorts."""
    found: dict[int, Any] = {}
    named: list[tuple[str, str]] = []
    for some in numbers(ids):
        wanted = select(Entity.layout, Entity.identity).where(Entity.id.in_(some))
        named += [(row.layout, row.identity) for row in connection.execute(wanted)]
    by_layout: dict[str, list[str]] = {}
    for layout, identity in sorted(named):
        by_layout.setdefault(layout, []).append(identity)
    for layout, identities in by_layout.items():
        for start in range(0, len(identities), 1000):
            some_names = identities[start : start + 1000]
            wanted_rows = select(*Entity.__table__.columns).where(
                Entity.layout == layout, Entity.identity.in_(some_names)
            )
            rows = connection.execute(wanted_rows.order_by(Entity.identity).with_for_update())
            found |= {row.id: row for row in rows if deleted is not None or row.deleted_at is None}
    return found


def remove_rows(
    connection: Connection,
    plan: CleanupPlan,
    going: Sequence[Removal],
    rows: Rows,
    marks: EntityMarks,
) -> list[dict[str, Any]]:
    """Turn rows into tombstones, and note what follows; whoever writes the marks writes the events after them.

    Returns what an undo needs to know of rows that became part of others.
    """
    if not going:
        return []
    now = marks.now
    merges = [one for one in going if one.merged_into is not None]
    going = [one for one in going if one.merged_into is None]
    for some in numbers(one.id for one in going):
        values = {"deleted_at": now, "removed_by": plan.id}
        connection.execute(update(Entity).where(Entity.id.in_(some)).values(values))
    for one in going:
        marks.note_gone(_seen(rows[one.id]))
    merged, lines = merge_rows(connection, plan, merges, rows, marks)
    _log(connection, plan, [*_lines(plan, "remove", going, rows), *lines], now)
    return merged


def removal_news(plan_id: str, count: int) -> list[News]:
    """Return the event of a removal; none where nothing was removed."""
    return [News(REMOVED, "", {"plan_id": plan_id, "count": count})] if count else []


def restore_rows(
    connection: Connection,
    plan: CleanupPlan,
    gone: Sequence[Removal],
    rows: Rows,
    marks: EntityMarks,
    parted: AbstractSet[int],
) -> None:
    """Bring back rows and write it down; of those that are parted from others already, only write it down."""
    if not gone:
        return
    back = [one for one in gone if one.id not in parted]
    for some in numbers(one.id for one in back):
        connection.execute(update(Entity).where(Entity.id.in_(some)).values(deleted_at=None, removed_by=None))
    for one in back:
        marks.note(None, _seen(rows[one.id]))
    _log(connection, plan, _lines(plan, "restore", gone, rows, "undone"), marks.now)


def is_as_planned(one: Removal, rows: Rows) -> bool:
    """Return whether a row is as it was when its removal was planned, and so is the one that it becomes part of."""
    row, into = rows.get(one.id), rows.get(one.merged_into or one.id)
    if row is None or into is None or row.deleted_at is not None or into.deleted_at is not None:
        return False
    return bool(row.revision == one.revision and (one.merged_into is None or into.key == row.key))


def _lines(plan: CleanupPlan, action: Any, which: Sequence[Removal], rows: Rows, reason: str = "") -> list[Line]:
    return [
        Line(plan.actor, action, plan.id, plan.command, str(plan.scope), reason or one.reason, _record(rows[one.id]))
        for one in which
    ]


def _log(connection: Connection, plan: CleanupPlan, lines: Sequence[Line], now: datetime) -> None:
    if lines:
        seq, last = append(connection, lines, now)
        connection.execute(update(PlanRow).where(PlanRow.id == plan.id).values(audit_seq=seq, audit_hash=last))


def _record(row: Any) -> dict[str, Any]:
    return dict(row._mapping)


def _seen(row: Any) -> Seen:
    return Seen(row.id, row.type, row.identity, row.run_id, row.alignment, row.document, to_files(row.files))
