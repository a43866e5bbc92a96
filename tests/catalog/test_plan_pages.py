from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from coverslip.catalog import Catalog
from coverslip.errors import NotFoundError
from coverslip.model.plan_pages import RowTotals
from coverslip.model.removal import BrakeStop, CleanupPlan, Group, Kept, Removal, Scope
from tests.catalog.making import VERSIONS, Clock

FINE = Group("20001", "TS_1", "7.000", 15, 3, 5, "/portal", "annotation")
COARSE = Group("20001", "TS_1", "13.480", 14, 3, 5, "/portal", "annotation")


@pytest.fixture
def catalog(url: str, clock: Clock) -> Iterator[Catalog]:
    with Catalog.open(url, versions=VERSIONS, clock=clock) as opened:
        yield opened


def removal(number: int, group: Group, **more: Any) -> Removal:
    return replace(Removal("annotation", number, f"a/{number}", "/portal", f"{number}.json", 1, group=group), **more)


ROWS = (
    removal(21, COARSE, shapes=1, files=2, authors=3, links=4, bytes=100),
    removal(22, COARSE, shapes=1, files=1, bytes=11),
    replace(removal(23, FINE, shapes=5), reason="duplicate", merged_into=9, dependents=("2 tomograms show it",)),
    removal(24, COARSE),
)
KEPT = tuple(Kept("annotation", number, f"a/{number}", "/portal", f"{number}.json", "403") for number in range(5))
STOP = BrakeStop(COARSE, "many", 3, 4)


def keep(catalog: Catalog) -> CleanupPlan:
    plan = CleanupPlan(
        "plan",
        Scope("annotation", run_id=5),
        catalog.now(),
        "ada",
        removals=ROWS,
        unknown=KEPT,
        incomplete=KEPT[:2],
        complete=(7, 8, 9),
        orphans=("/portal/a.json", "/portal/b.json", "/portal/c.json"),
        stops=(STOP,),
        counts={"found": 4, "stops": 1},
    )
    catalog.keep_plan(plan)
    return plan


def test_a_report_sums_up_each_group_and_tells_what_the_brake_holds(catalog: Catalog) -> None:
    plan = keep(catalog)
    report = catalog.plan_report("plan")
    assert report.plan == replace(plan, removals=(), unknown=(), incomplete=(), complete=(), orphans=(), stops=())
    assert report.totals == RowTotals(rows=4, duplicates=1, shapes=7, files=3, authors=3, links=4, bytes=111)
    assert [(one.index, one.group, one.totals.rows, one.is_stopped) for one in report.groups] == [
        (0, COARSE, 3, True),
        (1, FINE, 1, False),
    ]
    assert report.groups[0].totals == RowTotals(rows=3, shapes=2, files=3, authors=3, links=4, bytes=111)
    assert (report.going, report.complete, report.stops, report.total) == (1, 3, (STOP,), 2)


def test_groups_come_a_page_at_a_time_and_keep_their_index(catalog: Catalog) -> None:
    keep(catalog)
    report = catalog.plan_report("plan", skip=1, limit=1)
    assert [(one.index, one.group) for one in report.groups] == [(1, FINE)]
    assert (report.total, report.totals.rows) == (2, 4)
    assert catalog.plan_report("plan", skip=2).groups == ()


def test_rows_come_a_page_at_a_time_of_all_groups_of_one_or_duplicates_alone(catalog: Catalog) -> None:
    keep(catalog)
    assert catalog.plan_removals("plan").rows == ROWS
    page = catalog.plan_removals("plan", group=0, skip=1, limit=2)
    assert (page.total, page.rows) == (3, (ROWS[1], ROWS[3]))
    duplicates = catalog.plan_removals("plan", duplicates=True)
    assert (duplicates.total, duplicates.rows) == (1, (ROWS[2],))
    assert catalog.plan_removals("plan", group=0, duplicates=True).total == 0


def test_rows_that_stay_and_documents_without_a_row_come_a_page_at_a_time(catalog: Catalog) -> None:
    keep(catalog)
    unknown = catalog.plan_kept("plan", "unknown", skip=3, limit=10)
    assert (unknown.total, unknown.rows) == (5, KEPT[3:])
    assert catalog.plan_kept("plan", "incomplete").rows == KEPT[:2]
    orphans = catalog.plan_orphans("plan", skip=1, limit=1)
    assert (orphans.total, orphans.rows) == (3, ("/portal/b.json",))


def test_a_plan_without_rows_has_none_on_any_page(catalog: Catalog) -> None:
    catalog.keep_plan(CleanupPlan("empty", Scope("annotation", everything=True), catalog.now(), ""))
    report = catalog.plan_report("empty")
    assert (report.totals, report.going, report.groups, report.stops) == (RowTotals(), 0, (), ())
    assert catalog.plan_removals("empty").rows == ()
    assert catalog.plan_kept("empty", "unknown").rows == ()
    assert catalog.plan_orphans("empty").total == 0


def test_what_is_not_there_is_told(catalog: Catalog) -> None:
    keep(catalog)
    with pytest.raises(NotFoundError, match="no plan 'other'"):
        catalog.plan_report("other")
    with pytest.raises(NotFoundError, match="no plan 'other'"):
        catalog.plan_orphans("other")
    with pytest.raises(NotFoundError, match="2 groups"):
        catalog.plan_removals("plan", group=2)
