"""Jobs of exports and their items, on both databases."""

from datetime import timedelta

import pytest

from coverslip.catalog import Catalog
from coverslip.errors import ConflictError, NotFoundError
from coverslip.model.exporting import ExportResult, PlannedExport
from tests.catalog.making import Clock

LEASE = 30.0


def add(catalog: Catalog, count: int = 3) -> str:
    items = [PlannedExport(n, f"item {n}", f"{n}.png", "A", {"window": [0, 0, n, n]}) for n in range(count)]
    return catalog.add_export("cells", "/out", {"version": 1}, items).id


def done(number: int, ok: bool = True) -> ExportResult:
    if ok:
        return ExportResult(number, f"item {number}", ok=True, path=f"{number}.png", checksum="ab", size=7)
    return ExportResult(number, f"item {number}", ok=False, path=f"{number}.png", error_type="ReadError", message="no")


def test_a_job_is_kept_with_its_items(catalog: Catalog) -> None:
    job_id = add(catalog, 2500)
    job = catalog.export(job_id)
    assert (job.state, job.total, job.completed, job.document) == ("pending", 2500, 0, {"version": 1})
    items = catalog.export_items(job_id, after=1998, limit=3)
    assert [item.planned.number for item in items] == [1999, 2000, 2001]
    assert items[0].planned == PlannedExport(1999, "item 1999", "1999.png", "A", {"window": [0, 0, 1999, 1999]})
    assert items[0].result is None


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [([True, True, True], "completed"), ([True, False, True], "partial"), ([False, False, False], "failed")],
)
def test_how_a_job_ends_follows_from_its_items(catalog: Catalog, outcomes: list[bool], state: str) -> None:
    job_id = add(catalog)
    token = catalog.claim_export(job_id, lease_seconds=LEASE)
    results = [done(number, ok) for number, ok in enumerate(outcomes)]
    assert catalog.note_export(job_id, token, results, lease_seconds=LEASE)
    job = catalog.end_export(job_id, token)
    assert (job.state, job.succeeded, job.failed) == (state, sum(outcomes), 3 - sum(outcomes))
    assert [item.result for item in catalog.export_items(job_id)] == results


def test_one_at_a_time_works_on_a_job(catalog: Catalog) -> None:
    job_id = add(catalog)
    catalog.claim_export(job_id, lease_seconds=LEASE)
    with pytest.raises(ConflictError, match="is running"):
        catalog.claim_export(job_id, lease_seconds=LEASE)


def test_a_job_whose_process_was_killed_is_paused_and_free_after_its_lease(catalog: Catalog, clock: Clock) -> None:
    job_id = add(catalog)
    first = catalog.claim_export(job_id, lease_seconds=LEASE)
    clock.now += timedelta(seconds=LEASE + 1)
    assert catalog.export(job_id).state == "paused"
    second = catalog.claim_export(job_id, lease_seconds=LEASE)
    assert not catalog.note_export(job_id, first, [done(0)], lease_seconds=LEASE)
    assert catalog.note_export(job_id, second, [done(1)], lease_seconds=LEASE)
    assert catalog.end_export(job_id, first).state == "running"  # not the first one's to end
    assert [item.state for item in catalog.export_items(job_id)] == ["pending", "ok", "pending"]


def test_noting_renews_the_lease(catalog: Catalog, clock: Clock) -> None:
    job_id = add(catalog)
    token = catalog.claim_export(job_id, lease_seconds=LEASE)
    for _ in range(3):
        clock.now += timedelta(seconds=LEASE * 0.8)
        assert catalog.note_export(job_id, token, [], lease_seconds=LEASE)


def test_cancelling_is_seen_by_who_works_on_it(catalog: Catalog) -> None:
    job_id = add(catalog)
    token = catalog.claim_export(job_id, lease_seconds=LEASE)
    assert catalog.cancel_export(job_id).state == "cancelling"
    assert not catalog.note_export(job_id, token, [done(0)], lease_seconds=LEASE)
    assert catalog.end_export(job_id, token, is_stopped=True).state == "cancelled"
    assert catalog.export_items(job_id)[0].state == "ok"  # what was done is noted all the same
    assert catalog.reopen_export(job_id).state == "pending"


def test_a_job_nobody_works_on_is_cancelled_at_once(catalog: Catalog) -> None:
    job_id = add(catalog)
    assert catalog.cancel_export(job_id).state == "cancelled"
    with pytest.raises(ConflictError, match="cancelled"):
        catalog.claim_export(job_id, lease_seconds=LEASE)


def test_what_failed_is_opened_again_and_what_is_there_stays(catalog: Catalog) -> None:
    job_id = add(catalog)
    token = catalog.claim_export(job_id, lease_seconds=LEASE)
    catalog.note_export(job_id, token, [done(0), done(1, ok=False), done(2)], lease_seconds=LEASE)
    with pytest.raises(ConflictError):
        catalog.reopen_export(job_id)
    catalog.end_export(job_id, token)
    assert catalog.reopen_export(job_id).state == "partial"  # nothing is left to do
    assert catalog.reopen_export(job_id, retry_failed=True).state == "pending"
    assert [item.state for item in catalog.export_items(job_id)] == ["ok", "pending", "ok"]


def test_a_document_is_revised_while_nobody_works_on_its_job(catalog: Catalog) -> None:
    job_id = add(catalog)
    catalog.revise_export(job_id, {"version": 1, "sources": ["repaired"]})
    assert catalog.export(job_id).document == {"version": 1, "sources": ["repaired"]}
    catalog.claim_export(job_id, lease_seconds=LEASE)
    with pytest.raises(ConflictError, match="running"):
        catalog.revise_export(job_id, {})
    with pytest.raises(NotFoundError):
        catalog.revise_export("none", {})


def test_jobs_are_listed_newest_first(catalog: Catalog, clock: Clock) -> None:
    ids = []
    for _ in range(3):
        clock.now += timedelta(seconds=1)
        ids.append(add(catalog))
    assert [job.id for job in catalog.exports()] == ids[::-1]
    assert [job.id for job in catalog.exports(1)] == ids[2:]


def test_a_job_that_is_not_there_is_not_found(catalog: Catalog) -> None:
    for ask in (catalog.export, catalog.export_items, catalog.cancel_export, catalog.reopen_export):
        with pytest.raises(NotFoundError):
            ask("none")
