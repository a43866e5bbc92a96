"""Plans of cleanups a page at a time: a plan of 100,000 rows is too much for one answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from sqlalchemy import Connection, select

from coverslip.catalog import plan_rows
from coverslip.catalog.part import Part
from coverslip.catalog.removal_tables import Plan as PlanRow
from coverslip.catalog.visible import visible
from coverslip.errors import NotFoundError
from coverslip.model.plan_pages import GroupTotals, PlanPage, PlanReport, RowTotals
from coverslip.model.removal import CleanupPlan, Group, Kept, Permit, Removal, anything

STOPS = 100
"""Scopes in which the brake holds that a report names."""
_SUMMED = ("shapes", "files", "authors", "links", "bytes")
Raw = Mapping[str, Any]


class PlanPages(Part):
    """Looking through a plan, as an actor may see it: with the rows that this actor may remove."""

    def plan_report(
        self, plan_id: str, *, skip: int = 0, limit: int = 50, actor: str = "", permitted: Permit = anything
    ) -> PlanReport:
        """Return what a plan comes to, and a page of the groups of the rows that go.

        Parameters
        ----------
        plan_id
            Which plan.
        skip, limit
            How many groups are left out first, and how many are given at most.
        actor, permitted
            Who asks, and what tells whether this actor may remove a row.

        Raises
        ------
        NotFoundError
            There is no such plan, or it is about rows that the actor may not remove.
        """
        with self._database.reading() as connection:
            found = _parts(connection, plan_id, actor, permitted, "removals", "complete", "stops")
            plan = _head(connection, plan_id, actor, permitted)
        stops = tuple(plan_rows.to_stop(one) for one in found["stops"])
        stopped = {stop.group for stop in stops}
        groups = [
            GroupTotals(index, group, _totals(rows), group in stopped)
            for index, (group, rows) in enumerate(_by_group(found["removals"]).items())
        ]
        going = sum(one.totals.rows for one in groups if not one.is_stopped)
        page = tuple(groups[skip : skip + limit])
        totals, complete = _totals(found["removals"]), len(found["complete"])
        return PlanReport(plan, totals, going, complete, stops[:STOPS], len(groups), page)

    def plan_removals(
        self,
        plan_id: str,
        *,
        group: int | None = None,
        duplicates: bool = False,
        skip: int = 0,
        limit: int = 100,
        actor: str = "",
        permitted: Permit = anything,
    ) -> PlanPage[Removal]:
        """Return a page of the rows that go.

        Parameters
        ----------
        plan_id
            Which plan.
        group
            Only those of the group with this index in the report.
        duplicates
            Only those that become part of another row.
        skip, limit
            How many are left out first, and how many are given at most.
        actor, permitted
            Who asks, and what tells whether this actor may remove a row.

        Raises
        ------
        NotFoundError
            There is no such plan, it is about rows that the actor may not remove, or it has no such group.
        """
        with self._database.reading() as connection:
            rows: Sequence[Raw] = _parts(connection, plan_id, actor, permitted, "removals")["removals"]
        if group is not None:
            groups = list(_by_group(rows).values())
            if group >= len(groups):
                raise NotFoundError(f"plan {plan_id[:64]!r} has {len(groups):,} groups, counted from 0")
            rows = groups[group]
        if duplicates:
            rows = [one for one in rows if one.get("merged_into") is not None]
        return PlanPage(len(rows), tuple(plan_rows.to_removal(one) for one in rows[skip : skip + limit]))

    def plan_kept(
        self,
        plan_id: str,
        why: Literal["unknown", "incomplete"],
        *,
        skip: int = 0,
        limit: int = 100,
        actor: str = "",
        permitted: Permit = anything,
    ) -> PlanPage[Kept]:
        """Return a page of the rows that stay although they are not as they should be; raises as ``plan_report``."""
        with self._database.reading() as connection:
            rows = _parts(connection, plan_id, actor, permitted, why)[why]
        return PlanPage(len(rows), tuple(Kept(**one) for one in rows[skip : skip + limit]))

    def plan_orphans(
        self, plan_id: str, *, skip: int = 0, limit: int = 100, actor: str = "", permitted: Permit = anything
    ) -> PlanPage[str]:
        """Return a page of the documents that the catalog lacks, as places; raises as ``plan_report``."""
        with self._database.reading() as connection:
            rows = _parts(connection, plan_id, actor, permitted, "orphans")["orphans"]
        return PlanPage(len(rows), tuple(rows[skip : skip + limit]))


def _head(connection: Connection, plan_id: str, actor: str, permitted: Permit) -> CleanupPlan:
    """Return a plan without its rows."""
    if permitted is anything:
        return plan_rows.to_plan(plan_rows.get_head(connection, plan_id))
    plan = visible(connection, plan_rows.to_plan(plan_rows.get(connection, plan_id)), actor, permitted)
    return replace(plan, removals=(), unknown=(), incomplete=(), complete=(), orphans=(), stops=())


def _parts(
    connection: Connection, plan_id: str, actor: str, permitted: Permit, *names: str
) -> dict[str, Sequence[Any]]:
    """Return lists of a plan's document; where nobody is kept from anything, the database leaves out the others."""
    if permitted is not anything:
        plan = visible(connection, plan_rows.to_plan(plan_rows.get(connection, plan_id)), actor, permitted)
        content = plan_rows.to_row(plan)["content"]
        return {name: content[name] for name in names}
    wanted = select(*(PlanRow.content[name].label(name) for name in names)).where(PlanRow.id == plan_id)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise NotFoundError(f"there is no plan {plan_id[:64]!r}")
    return {name: row._mapping[name] or () for name in names}


def _by_group(rows: Iterable[Raw]) -> dict[Group, list[Raw]]:
    """Return rows by what they lie in, in the order of the plan."""
    found: dict[tuple[Any, ...], list[Raw]] = {}
    for one in rows:
        found.setdefault(tuple(one["group"].items()), []).append(one)
    return {Group(**dict(key)): some for key, some in found.items()}


def _totals(rows: Sequence[Raw]) -> RowTotals:
    merged = sum(one.get("merged_into") is not None for one in rows)
    sums = {name: sum(one.get(name, 0) for one in rows) for name in _SUMMED}
    return RowTotals(rows=len(rows), duplicates=merged, **sums)
