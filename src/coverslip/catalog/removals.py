"""Removing rows by a plan, bringing them back, and making that final; each in one transaction."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlalchemy import Connection, and_, func, select, update

from coverslip.catalog import plan_rows
from coverslip.catalog.around import numbers
from coverslip.catalog.cleaning import must_be_held
from coverslip.catalog.entity_marks import EntityMarks
from coverslip.catalog.entity_tables import Entity
from coverslip.catalog.events import News, write_events
from coverslip.catalog.image_removals import purged_of, remove_images, restore_images
from coverslip.catalog.marks import Kinds
from coverslip.catalog.merging import part_rows
from coverslip.catalog.part import Part
from coverslip.catalog.removal_tables import Audit as AuditRow
from coverslip.catalog.removal_tables import Plan as PlanRow
from coverslip.catalog.tables import Image
from coverslip.catalog.tombstones import (
    RESTORED,
    Rows,
    is_as_planned,
    lock_rows,
    removal_news,
    remove_rows,
    restore_rows,
)
from coverslip.catalog.visible import visible, whose
from coverslip.errors import ConflictError, NotFoundError
from coverslip.model.removal import (
    CleanupPlan,
    Permit,
    Removal,
    anything,
)
from coverslip.model.removed import Applied, CleanupTotals

_COUNTED = ("found", "unknown", "incomplete", "stops", "requests", "milliseconds")
_DONE = {"remove": "removed", "merge": "merged", "restore": "restored", "purge": "purged"}
NOTHING_HELD: Mapping[str, str] = MappingProxyType({})


class Removals(Part):
    """Plans of cleanups, and what becomes of them."""

    def keep_plan(self, plan: CleanupPlan) -> None:
        """Keep a plan to be reviewed. Nothing is removed, and nothing marked."""
        with self._database.writing() as connection:
            plan_rows.put(connection, plan)

    def plan(self, plan_id: str, *, actor: str = "", permitted: Permit = anything) -> CleanupPlan:
        """Return a plan as an actor may see it: with the rows that this actor may remove.

        Raises
        ------
        NotFoundError
            There is no such plan, or it is about rows that the actor may not remove.
        """
        with self._database.reading() as connection:
            plan = plan_rows.to_plan(plan_rows.get(connection, plan_id))
            return visible(connection, plan, actor, permitted)

    def plans(self, limit: int = 100, *, actor: str = "", permitted: Permit = anything) -> list[CleanupPlan]:
        """Return the newest plans first, with their counts and without their rows, as an actor may see them."""
        with self._database.reading() as connection:
            heads = [plan_rows.to_plan(row) for row in connection.execute(plan_rows.heads(limit))]
            if permitted is anything:
                return heads
            found: list[CleanupPlan] = []
            for head in heads:
                plan = plan_rows.to_plan(plan_rows.get(connection, head.id))
                with suppress(NotFoundError):
                    seen = visible(connection, plan, actor, permitted)
                    found.append(replace(head, scope=seen.scope, counts=seen.counts))
            return found

    def cleanup_totals(self) -> CleanupTotals:
        """Return what all cleanups came to so far."""
        with self._database.reading() as connection:
            plans = list(connection.scalars(select(PlanRow.counts)))
            actions = connection.execute(
                select(AuditRow.action, func.count().label("number")).group_by(AuditRow.action)
            )
            done = {row.action: row.number for row in actions}
        sums = {name: sum(one.get(name, 0) for one in plans) for name in _COUNTED}
        rows = {name: sums[name] for name in ("found", "unknown", "incomplete")}
        rows |= {what: done.get(action, 0) for action, what in _DONE.items()}
        return CleanupTotals(rows, sums["stops"], sums["requests"], sums["milliseconds"] / 1000)

    def apply_plan(
        self,
        plan_id: str,
        *,
        actor: str,
        permitted: Permit = anything,
        allow: int = 0,
        held: Mapping[str, str] = NOTHING_HELD,
    ) -> Applied:
        """Turn the rows of a plan into tombstones, mark what shows them, and write it down; all or nothing.

        Where the brake holds all of its rows, nothing is done, and the plan stays open.

        Parameters
        ----------
        plan_id
            Of an open plan.
        actor
            Who does it.
        permitted
            Tells whether the actor may remove a row. The others stay, and are not told.
        allow
            A number that was reviewed, as for ``CleanupPlan.held``.
        held
            Rights to clean layouts, by layout, under which somebody asked what is there: they have to be held still.

        Raises
        ------
        NotFoundError
            There is no such plan.
        ConflictError
            It was applied before, one of its rows changed since it was made, or a right in ``held`` was lost; nothing
            is removed then.
        """
        now = self._clock()
        with self._database.writing() as connection:
            row = plan_rows.get(connection, plan_id, locked=True)
            plan = visible(connection, plan_rows.to_plan(row), actor, permitted)
            if plan.state != "open":
                raise ConflictError(f"plan {plan.id} is {plan.state}: make a new one")
            plan = replace(plan, actor=actor)
            going = plan.to_go(allow)
            if plan.removals and not going:
                return Applied(plan.id, stopped=plan.held(allow))
            records = [one for one in going if not one.image_id]
            named = [number for one in records for number in (one.id, one.merged_into) if number is not None]
            kept = [one.id for one in plan.incomplete if not one.image_id]
            rows = lock_rows(connection, [*named, *kept, *plan.complete])
            must_be_held(connection, plan.id, held)
            _must_be_unchanged(plan, records, rows)
            marks = EntityMarks(self._entity_kinds, now, "cleaned up")
            merged = remove_rows(connection, plan, records, rows, marks)
            images, news = remove_images(connection, plan, [one for one in going if one.image_id], marks)
            before, marked = _mark_incomplete(connection, plan, kept, rows, now)
            content = {**row.content, "before": before, "marked": marked, "merged": merged, "images": images}
            _settle(connection, plan.id, "applied", content, applied_at=now)
            marks.write(connection)
            write_events(connection, [*news, *removal_news(plan.id, len(records))])
        return Applied(
            plan.id,
            removed=tuple(one.id for one in records),
            stopped=plan.held(allow),
            removed_images=tuple(one.image_id for one in going if one.image_id),
        )

    def undo_plan(self, plan_id: str, *, actor: str, permitted: Permit = anything) -> Applied:
        """Bring back what a plan removed: the same rows with the same numbers, and what was made of them.

        Rows that came back by themselves in the meantime stay as they are. Of a plan that was purged in part the rest
        comes back, and what is purged is told.

        Raises
        ------
        NotFoundError
            There is no such plan.
        ConflictError
            It was not applied, all of it is purged, or what one of its rows lies in is removed.
        """
        now = self._clock()
        with self._database.writing() as connection:
            row = plan_rows.get(connection, plan_id, locked=True)
            plan = replace(visible(connection, plan_rows.to_plan(row), actor, permitted), actor=actor)
            if plan.state != "applied":
                raise ConflictError(f"plan {plan.id} is {plan.state}: there is nothing of it to bring back")
            own = connection.scalars(
                select(Entity.id).where(Entity.removed_by == plan.id, Entity.deleted_at.is_not(None))
            )
            mine = set(own)
            named = [one for one in plan.removals if one.id in mine]
            mine &= {one.id for one in named}
            before: Mapping[str, str | None] = row.content.get("before", {})
            known = whose(connection, map(int, before))
            before = {
                number: since
                for number, since in before.items()
                if int(number) in known and permitted(actor, known[int(number)])
            }
            merged = [one for one in row.content.get("merged", ()) if mine >= set(map(int, one["others"]))]
            parted = {int(number) for one in merged for number in one["others"]}
            wanted = [*(one.id for one in named), *map(int, before), *(one["keep"] for one in merged)]
            rows = lock_rows(connection, wanted, deleted=True)
            gone = [one for one in named if one.id in rows and rows[one.id].removed_by == plan.id]
            back = [one for one in gone if one.id not in parted]
            _must_have_parents(connection, plan, [rows[one.id] for one in back], permitted)
            marks = EntityMarks(self._entity_kinds, now, "brought back")
            part_rows(connection, plan.id, merged, rows, marks)
            restore_rows(connection, plan, gone, rows, marks, parted)
            pictures = [one for one in plan.removals if one.image_id]
            kinds = Kinds(self._kinds, self._annotation_kinds)
            shown, news = restore_images(connection, plan, pictures, row.content.get("images", {}), marks, kinds)
            purged, purged_images = purged_of(connection, plan)
            if (purged or purged_images) and not gone and not shown:
                raise ConflictError(f"plan {plan.id} is purged: there is nothing of it to bring back")
            _unmark_incomplete(connection, before, row.content.get("marked", {}), rows)
            if not _is_left(connection, plan.id):  # what others may bring back stays theirs to bring back
                _settle(connection, plan.id, "undone", row.content, undone_at=now)
            marks.write(connection)
            if gone:
                news.append(News(RESTORED, "", {"plan_id": plan.id, "count": len(gone)}))
            write_events(connection, news)
        back_again = tuple(one.id for one in gone)
        return Applied(plan.id, restored=back_again, restored_images=shown, purged=purged, purged_images=purged_images)


def _must_be_unchanged(plan: CleanupPlan, going: Sequence[Removal], rows: Rows) -> None:
    changed = [one for one in going if not is_as_planned(one, rows)]
    if changed:
        many = f" and {len(changed) - 1:,} more" if len(changed) > 1 else ""
        raise ConflictError(
            f"{changed[0].type} {changed[0].id}{many} of plan {plan.id} changed since it was made. Nothing was "
            "removed: make a new plan"
        )


def _must_have_parents(
    connection: Connection, plan: CleanupPlan, rows: Sequence[Any], permitted: Permit = anything
) -> None:
    own = {row.id for row in rows}
    above = {row.parent_id for row in rows} - own - {None}
    for some in numbers(above):
        is_gone = and_(Entity.id.in_(some), Entity.deleted_at.is_not(None))
        found = connection.execute(select(Entity.type, Entity.id).where(is_gone).order_by(Entity.id)).first()
        if found is not None:
            may = permitted(plan.actor, whose(connection, [found.id])[found.id])
            what = f"{found.type} {found.id}" if may else "what its rows lie in"
            raise ConflictError(f"plan {plan.id} cannot be undone before {what} is brought back")


def _is_left(connection: Connection, plan_id: str) -> bool:
    """Return whether anything is removed by a plan still."""
    records = select(Entity.id).where(Entity.removed_by == plan_id, Entity.deleted_at.is_not(None))
    hidden = (Image.deleted_at.is_not(None), Image.purged_at.is_(None))
    images = select(Image.id).where(Image.removed_by == plan_id, *hidden)
    return any(connection.execute(wanted.limit(1)).first() is not None for wanted in (records, images))


def _mark_incomplete(
    connection: Connection, plan: CleanupPlan, ids: Sequence[int], rows: Rows, now: datetime
) -> tuple[dict[str, str | None], dict[str, int]]:
    """Mark rows as incomplete, and others as complete again.

    Returns
    -------
    before
        Since when each row that is marked another way was incomplete, by number.
    revisions
        The revision of each of them now.
    """
    new = [number for number in ids if number in rows and rows[number].incomplete_since is None]
    over = [number for number in plan.complete if number in rows and rows[number].incomplete_since is not None]
    revisions: dict[str, int] = {}
    for ids_of, since in ((new, now), (over, None)):
        for some in numbers(ids_of):
            marking = update(Entity).where(Entity.id.in_(some)).values(incomplete_since=since)
            for row in connection.execute(marking.returning(Entity.id, Entity.revision)):
                revisions[str(row.id)] = row.revision
    before: dict[str, str | None] = dict.fromkeys(map(str, new))
    return before | {str(number): rows[number].incomplete_since.isoformat() for number in over}, revisions


def _unmark_incomplete(
    connection: Connection, before: Mapping[str, str | None], revisions: Mapping[str, int], rows: Rows
) -> None:
    """Mark rows as they were, but those that somebody wrote since: whoever did knew which files are there."""
    for number, since in before.items():
        row = rows.get(int(number))
        if row is None or row.revision != revisions.get(number, row.revision):
            continue
        was = None if since is None else datetime.fromisoformat(since)
        connection.execute(update(Entity).where(Entity.id == int(number)).values(incomplete_since=was))


def _settle(connection: Connection, plan_id: str, state: str, content: Mapping[str, Any], **times: datetime) -> None:
    values: dict[str, Any] = {"state": state, "content": dict(content), **times}
    connection.execute(update(PlanRow).where(PlanRow.id == plan_id).values(values))
