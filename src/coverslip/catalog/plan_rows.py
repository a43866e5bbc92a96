"""Plans of cleanups as rows, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, insert, select, update

from coverslip.catalog.removal_tables import Plan as PlanRow
from coverslip.errors import NotFoundError
from coverslip.model.removal import BrakeStop, CleanupPlan, Dependent, Group, Kept, Removal, Scope

LISTS = ("removals", "unknown", "incomplete", "complete", "orphans", "stops")
"""What the document of a plan holds."""
_HEAD = tuple(column for column in PlanRow.__table__.columns if column.name != "content")


def to_row(plan: CleanupPlan) -> dict[str, Any]:
    """Return a plan as a row."""
    content = {name: [_plain(one) for one in getattr(plan, name)] for name in LISTS}
    return {
        "id": plan.id,
        "type": plan.scope.type,
        "scope": _plain(plan.scope),
        "state": plan.state,
        "actor": plan.actor,
        "command": plan.command,
        "counts": dict(plan.counts),
        "content": content,
        "created_at": plan.created_at,
        "applied_at": plan.applied_at,
        "undone_at": plan.undone_at,
    }


def to_plan(row: Any) -> CleanupPlan:
    """Return the plan of a row; of one that was read without its document, without what that holds."""
    content: Mapping[str, Any] = row._mapping.get("content") or {}
    return CleanupPlan(
        id=row.id,
        scope=_scope(row.scope),
        created_at=row.created_at,
        actor=row.actor,
        state=row.state,
        command=row.command,
        removals=tuple(to_removal(one) for one in content.get("removals", ())),
        unknown=tuple(Kept(**one) for one in content.get("unknown", ())),
        incomplete=tuple(Kept(**one) for one in content.get("incomplete", ())),
        complete=tuple(content.get("complete", ())),
        orphans=tuple(content.get("orphans", ())),
        stops=tuple(to_stop(one) for one in content.get("stops", ())),
        counts=dict(row.counts),
        applied_at=row.applied_at,
        undone_at=row.undone_at,
    )


def put(connection: Connection, plan: CleanupPlan) -> None:
    """Write a new plan."""
    connection.execute(insert(PlanRow).values(to_row(plan)))


def note_merged(connection: Connection, plan: CleanupPlan, merged: Sequence[Mapping[str, Any]]) -> None:
    """Keep with a plan what its undo needs to know of rows that became part of others."""
    content = {**to_row(plan)["content"], "merged": list(merged)}
    connection.execute(update(PlanRow).where(PlanRow.id == plan.id).values(content=content))


def get(connection: Connection, plan_id: str, *, locked: bool = False) -> Any:
    """Return the row of a plan.

    Raises
    ------
    NotFoundError
        There is no such plan.
    """
    wanted = select(*PlanRow.__table__.columns).where(PlanRow.id == plan_id)
    row = connection.execute(wanted.with_for_update() if locked else wanted).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no plan {plan_id[:64]!r}")
    return row


def find(connection: Connection, plan_id: str) -> Any:
    """Return the row of a plan, locked; ``None`` where there is none."""
    wanted = select(*PlanRow.__table__.columns).where(PlanRow.id == plan_id).with_for_update()
    return connection.execute(wanted).one_or_none()


def get_head(connection: Connection, plan_id: str) -> Any:
    """Return the row of a plan without its document; raises as ``get``."""
    row = connection.execute(select(*_HEAD).where(PlanRow.id == plan_id)).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no plan {plan_id[:64]!r}")
    return row


def heads(limit: int) -> Any:
    """Return the query for the newest plans without their documents."""
    return select(*_HEAD).order_by(PlanRow.created_at.desc(), PlanRow.id).limit(limit)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else asdict(value)


def _scope(kept: Mapping[str, Any]) -> Scope:
    return Scope(**{**kept, "entity_ids": tuple(kept.get("entity_ids", ()))})


def to_removal(kept: Mapping[str, Any]) -> Removal:
    """Return a row that goes, as the document of a plan has it."""
    return Removal(
        **{
            **kept,
            "group": Group(**kept["group"]),
            "dependents": tuple(kept["dependents"]),
            "depending": tuple(Dependent(**one) for one in kept.get("depending", ())),
        }
    )


def to_stop(kept: Mapping[str, Any]) -> BrakeStop:
    """Return a scope in which the brake holds, as the document of a plan has it."""
    return BrakeStop(**{**kept, "group": Group(**kept["group"])})
