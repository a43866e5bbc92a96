"""What of a plan an actor is told: the rows that this actor may remove, and nothing that counts or names the others."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, select

from coverslip.catalog.around import numbers
from coverslip.catalog.entity_tables import Entity
from coverslip.errors import NotFoundError
from coverslip.model.removal import AuditEntry, BrakeStop, CleanupPlan, Group, Permit, Removal, Whose, anything


def whose(connection: Connection, ids: Iterable[int | None]) -> dict[int, Whose]:
    """Return what permissions are asked for, by number; rows that are gone for good are left out."""
    found: dict[int, Whose] = {}
    for some in numbers(number for number in ids if number is not None):
        wanted = select(Entity.type, Entity.id, Entity.identity, Entity.layout).where(Entity.id.in_(some))
        found |= {row.id: Whose(*row) for row in connection.execute(wanted)}
    return found


def visible(connection: Connection, plan: CleanupPlan, actor: str, permitted: Permit) -> CleanupPlan:
    """Return a plan as an actor may see it: as if there were no rows but those that this actor may remove.

    A row that becomes part of another one needs both. Where rows are left out, so is what counts them: the numbers of
    rows that were looked at, of requests and of what depends on a row.

    Raises
    ------
    NotFoundError
        It is about rows, and this actor may remove none of them.
    """
    if permitted is anything:
        return plan
    others = whose(connection, [*(one.merged_into for one in plan.removals), *plan.complete])
    removals = tuple(one for one in plan.removals if _may(one, others, actor, permitted))
    unknown, incomplete = (
        tuple(one for one in rows if permitted(actor, one)) for rows in (plan.unknown, plan.incomplete)
    )
    complete = tuple(number for number in plan.complete if number in others and permitted(actor, others[number]))
    told = [removals, unknown, incomplete, complete]
    every = [plan.removals, plan.unknown, plan.incomplete, plan.complete]
    if sum(map(len, told)) == sum(map(len, every)) and actor == plan.actor:
        return plan
    if any(every) and not any(told):
        raise NotFoundError(f"there is no plan {plan.id!r}")
    if actor != plan.actor:  # what depends on a row was named for whoever made the plan
        removals = tuple(replace(one, dependents=(), depending=(), more_depending=0) for one in removals)
    stops = tuple(_stops(plan, removals))
    counts = {"found": len(removals), "unknown": len(unknown), "incomplete": len(incomplete)}
    numbered = {one.id for one in removals} | {one.id for one in (*unknown, *incomplete)}
    return replace(
        plan,
        scope=replace(plan.scope, entity_ids=tuple(one for one in plan.scope.entity_ids if one in numbered)),
        removals=removals,
        unknown=unknown,
        incomplete=incomplete,
        complete=complete,
        stops=stops,
        counts={**counts, "orphans": len(plan.orphans), "stops": len(stops)},
    )


def told_lines(lines: Iterable[AuditEntry], actor: str, permitted: Permit) -> list[AuditEntry]:
    """Return the lines of the log that are about rows that an actor may remove."""
    if permitted is anything:
        return list(lines)
    return [line for line in lines if permitted(actor, _logged(line.record))]


def _logged(record: Mapping[str, Any]) -> Whose:
    number, identity = record.get("id"), str(record.get("identity", ""))
    layout = str(record.get("layout", identity.rpartition("/")[0]))
    return Whose(str(record.get("type", "")), number if isinstance(number, int) else 0, identity, layout)


def _may(one: Removal, others: Mapping[int, Any], actor: str, permitted: Permit) -> bool:
    if one.merged_into is not None and not (one.merged_into in others and permitted(actor, others[one.merged_into])):
        return False
    return permitted(actor, one)


def _stops(plan: CleanupPlan, removals: Iterable[Removal]) -> Iterable[BrakeStop]:
    """Yield the stops of the rows that are told; of a scope with others, how many rows there are is not told."""
    before, after = _counted(plan.removals), _counted(removals)
    for stop in plan.stops:
        left = after.get(stop.group, 0)
        if left == before.get(stop.group, 0):
            yield stop
        elif left:
            yield replace(stop, removed=left, rows=left)


def _counted(removals: Iterable[Removal]) -> dict[Group, int]:
    found: dict[Group, int] = {}
    for one in removals:
        found[one.group] = found.get(one.group, 0) + 1
    return found
