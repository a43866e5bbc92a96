"""Rows of the same document, left by imports that called it differently: one of them stays, with the oldest number."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from coverslip.catalog.audit import Line
from coverslip.catalog.entity_marks import EntityMarks, Seen
from coverslip.catalog.entity_rows import to_files
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.marks import LOCK_ORDER
from coverslip.catalog.removal_tables import Alias
from coverslip.catalog.tables import Artifact
from coverslip.errors import ConflictError
from coverslip.model.removal import CleanupPlan, Removal

_MOVED = tuple(
    column.name
    for column in Entity.__table__.columns
    if column.name not in {"id", "layout", "created_at", "updated_at", "revision", "deleted_at", "removed_by"}
)
"""What the row that stays takes over from the one that was written last."""
_TIMES = ("updated_at", "incomplete_since")


def merge_rows(
    connection: Connection, plan: CleanupPlan, merges: Sequence[Removal], rows: Mapping[int, Any], marks: EntityMarks
) -> tuple[list[dict[str, Any]], list[Line]]:
    """Let one row stay of each document, and everything point to it; return what an undo needs, and lines of the log.

    The row with the lowest number stays. It says from now on what the row said that was written last, under that one's
    identity. What lies in the others, and artifacts of theirs that it has none of, become its own.

    Parameters
    ----------
    merges
        Rows that go, each with the one that stays.
    rows
        Both, locked.
    """
    groups: dict[int, list[Removal]] = defaultdict(list)
    for one in merges:
        if one.merged_into is not None:
            groups[one.merged_into].append(one)
    kept: list[dict[str, Any]] = []
    lines: list[Line] = []
    for number, gone in sorted(groups.items()):
        keep, others = rows[number], [rows[one.id] for one in gone]
        lines += [
            Line(
                plan.actor, "merge", plan.id, plan.command, str(plan.scope), f"merged into {number}", dict(row._mapping)
            )
            for row in others
        ]
        numbers = ", ".join(str(row.id) for row in others)
        lines.append(
            Line(
                plan.actor, "merge", plan.id, plan.command, str(plan.scope), f"kept for {numbers}", dict(keep._mapping)
            )
        )
        kept.append(_merge(connection, plan, keep, others, marks))
    return kept, lines


def _merge(
    connection: Connection, plan: CleanupPlan, keep: Any, others: Sequence[Any], marks: EntityMarks
) -> dict[str, Any]:
    now = marks.now
    latest = max([keep, *others], key=lambda row: (row.updated_at, row.id))
    ids = [row.id for row in others]
    children = connection.execute(select(Entity.id, Entity.parent_id).where(Entity.parent_id.in_(ids))).all()
    for row in others:
        gone = {"deleted_at": now, "removed_by": plan.id, "identity": f"{row.identity}#{row.id}"}
        connection.execute(update(Entity).where(Entity.id == row.id).values(gone))
        marks.note_gone(_seen(row))
    values = {name: getattr(latest, name) for name in _MOVED}
    after = connection.execute(
        update(Entity)
        .where(Entity.id == keep.id)
        .values(**values, revision=keep.revision + 1, updated_at=now)
        .returning(*Entity.__table__.columns)
    ).one()
    marks.note(_seen(keep), _seen(after))
    connection.execute(update(Entity).where(Entity.parent_id.in_(ids)).values(parent_id=keep.id))
    shapes = {file.shape for file in to_files(after.files)}
    kinds = {kind for shape in shapes for kind in marks.kinds.of_shapes.get(shape, ())}
    artifacts = _take_artifacts(connection, keep.id, ids, kinds)
    aliases = _follow(connection, keep.id, ids)
    return {
        "keep": keep.id,
        "revision": after.revision,
        "before": _plain({name: getattr(keep, name) for name in (*_MOVED, "revision", "updated_at")}),
        "others": {str(row.id): row.identity for row in others},
        "children": {str(row.id): row.parent_id for row in children},
        "artifacts": artifacts,
        "aliases": aliases,
    }


def _follow(connection: Connection, keep: int, ids: Sequence[int]) -> dict[str, int]:
    """Let the numbers of rows that go lead to the one that stays; return those that led to them before.

    Links and frozen views name records by number, in places that the catalog cannot rewrite.
    """
    before = connection.execute(select(Alias.id, Alias.entity_id).where(Alias.entity_id.in_(ids))).all()
    connection.execute(update(Alias).where(Alias.entity_id.in_(ids)).values(entity_id=keep))
    connection.execute(insert(Alias), [{"id": number, "entity_id": keep} for number in ids])
    return {str(row.id): row.entity_id for row in before}


def _take_artifacts(connection: Connection, keep: int, ids: Sequence[int], kinds: Collection[str]) -> dict[str, int]:
    """Let the row that stays have the artifacts of others of which it has none; return whose they were.

    Those of kinds that it shows no more go to one of the others: nobody builds them there, and an undo finds them.
    """
    wanted = select(Artifact.id, Artifact.kind, Artifact.entity_id).where(Artifact.entity_id.in_([keep, *ids]))
    found = connection.execute(wanted.order_by(*LOCK_ORDER).with_for_update()).all()
    there = {(row.entity_id, row.kind) for row in found}
    taken: dict[str, int] = {}
    for row in found:
        if row.entity_id is None:
            continue
        if row.entity_id == keep:
            free = [] if row.kind in kinds else [number for number in ids if (number, row.kind) not in there]
        else:
            free = [keep] if row.kind in kinds and (keep, row.kind) not in there else []
        if free:
            there.add((free[0], row.kind))
            taken[row.id] = row.entity_id
            connection.execute(update(Artifact).where(Artifact.id == row.id).values(entity_id=free[0]))
    return taken


def part_rows(
    connection: Connection, plan_id: str, kept: Sequence[Mapping[str, Any]], rows: Mapping[int, Any], marks: EntityMarks
) -> None:
    """Undo merges: every row is as it was, and what was taken goes back.

    Raises
    ------
    ConflictError
        A row that stayed has changed since.
    """
    for one in kept:
        row = rows.get(one["keep"])
        if row is None or row.revision != one["revision"] or row.deleted_at is not None:
            raise ConflictError(
                f"plan {plan_id} cannot be undone: record {one['keep']} changed since others became part of it"
            )
        before = dict(one["before"])
        for name in _TIMES:
            before[name] = None if before[name] is None else datetime.fromisoformat(before[name])
        after = connection.execute(
            update(Entity).where(Entity.id == row.id).values(before).returning(*Entity.__table__.columns)
        ).one()
        for number, identity in one["others"].items():
            back = {"deleted_at": None, "removed_by": None, "identity": identity}
            restored = connection.execute(
                update(Entity).where(Entity.id == int(number)).values(back).returning(*Entity.__table__.columns)
            ).one()
            marks.note(None, _seen(restored))
        for number, parent in one["children"].items():
            connection.execute(update(Entity).where(Entity.id == int(number)).values(parent_id=parent))
        for artifact, owner in one["artifacts"].items():
            connection.execute(update(Artifact).where(Artifact.id == artifact).values(entity_id=owner))
        connection.execute(delete(Alias).where(Alias.id.in_([int(number) for number in one["others"]])))
        for number, led_to in one.get("aliases", {}).items():
            connection.execute(update(Alias).where(Alias.id == int(number)).values(entity_id=led_to))
        marks.note(_seen(row), _seen(after))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _seen(row: Any) -> Seen:
    return Seen(row.id, row.type, row.identity, row.run_id, row.alignment, row.document, to_files(row.files))
