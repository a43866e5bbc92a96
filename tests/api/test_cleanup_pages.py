"""A plan over HTTP, a page at a time, as somebody reviews it; and the log, newest line first."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coverslip.derive import open_catalog
from coverslip.ingest.importing import import_layout, open_layout
from tests.api.conftest import Service, running
from tests.ingest.importing.layouts import SPACING, annotation, put, write_layout

NUMBERS = (101, 102, 103)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Return a server whose catalog has four annotations, of which two are gone and one misses its file."""
    top = write_layout(tmp_path / "portal")
    for number in NUMBERS:
        stem = f"ribosome-{number}"
        put(top, f"{SPACING}/Annotations/{number}/{stem}.json", annotation("ribosome", stem, number))
        put(top, f"{SPACING}/Annotations/{number}/{stem}_point.ndjson", '{"type":"point"}')
    with running(tmp_path / "home") as service:
        with open_catalog(service.settings.catalog_url) as catalog:
            import_layout(open_layout(top), catalog)
        for number in NUMBERS[:2]:
            shutil.rmtree(top / SPACING / f"Annotations/{number}")
        (top / SPACING / "Annotations/103/ribosome-103_point.ndjson").unlink()
        put(top, f"{SPACING}/Annotations/104/ribosome-104.json", annotation("ribosome", "ribosome-104", 104))
        yield service


def plan(service: Service) -> dict[str, Any]:
    answer = service.client.post("/api/cleanup/plans", json={"type": "annotation", "everything": True})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_plan_is_looked_through_a_page_at_a_time(service: Service) -> None:
    made = plan(service)
    address = f"/api/cleanup/plans/{made['id']}"
    report = service.client.get(f"{address}/report").json()
    assert report["plan"] == {name: made[name] for name in report["plan"]}
    ((group,), totals) = report["groups"], report["totals"]
    assert (group["group"]["run"], group["group"]["spacing"], group["is_stopped"]) == ("TS_1", "13.480", False)
    assert (totals["rows"], totals["shapes"], totals["files"], report["going"], report["total"]) == (2, 2, 2, 2, 1)
    page = service.client.get(f"{address}/removals", params={"group": group["index"], "skip": 1}).json()
    assert page == {"total": 2, "rows": made["removals"][1:]}
    assert service.client.get(f"{address}/removals", params={"duplicates": True}).json() == {"total": 0, "rows": []}
    kept = service.client.get(f"{address}/kept", params={"state": "incomplete"}).json()
    assert kept == {"total": 1, "rows": made["incomplete"]}
    assert service.client.get(f"{address}/kept", params={"state": "unknown"}).json()["total"] == 0
    orphans = service.client.get(f"{address}/orphans").json()
    assert orphans == {"total": 1, "rows": made["orphans"]}
    assert orphans["rows"][0].endswith("Annotations/104/ribosome-104.json")


def test_a_plan_is_made_without_telling_all_of_its_rows(service: Service) -> None:
    body = {"type": "annotation", "everything": True}
    answer = service.client.post("/api/cleanup/plans", params={"rows": False}, json=body)
    made = answer.json()
    assert (answer.status_code, made["counts"]["found"], "removals" in made) == (201, 2, False)
    assert len(service.client.get(f"/api/cleanup/plans/{made['id']}").json()["removals"]) == 2


def test_an_incomplete_record_is_shown_as_such_with_the_tomogram_and_in_lists(service: Service) -> None:
    made, client = plan(service), service.client
    client.post(f"/api/cleanup/plans/{made['id']}/apply", json={})
    (number,) = (one["id"] for one in made["incomplete"])
    listed = client.get("/api/entities/", params={"incomplete": True}).json()["entities"]
    assert [one["id"] for one in listed] == [number]
    since = listed[0]["incomplete_since"]
    assert since is not None
    assert client.get(f"/api/entities/{number}").json()["incomplete_since"] == since
    client.post(f"/api/cleanup/plans/{made['id']}/undo", json={})
    assert client.get("/api/entities/", params={"incomplete": True}).json()["entities"] == []


def test_the_log_is_given_newest_first_and_page_by_page(service: Service) -> None:
    made, client = plan(service), service.client
    client.post(f"/api/cleanup/plans/{made['id']}/apply", json={"author": "ada"})
    client.post(f"/api/cleanup/plans/{made['id']}/undo", json={"author": "bob"})
    first = client.get("/api/audit", params={"newest": True, "limit": 3}).json()["lines"]
    assert [(line["seq"], line["action"]) for line in first] == [(4, "restore"), (3, "restore"), (2, "remove")]
    rest = client.get("/api/audit", params={"newest": True, "before": 2}).json()["lines"]
    assert [line["seq"] for line in rest] == [1]


@pytest.mark.parametrize("part", ["report", "removals", "kept?state=unknown", "orphans"])
def test_there_is_no_page_of_no_plan_and_none_for_others(service: Service, part: str) -> None:
    address = f"/api/cleanup/plans/none/{part}"
    assert service.client.get(address).status_code == 404
    answer = service.client.get(address, headers={"X-Forwarded-For": "203.0.113.7"})
    assert (answer.status_code, answer.json()["type"]) == (403, "only-from-here")


@pytest.mark.parametrize("query", ["skip=-1", "limit=0", "limit=1001", "group=-1", "duplicates=2"])
def test_a_page_that_cannot_be_is_refused(service: Service, query: str) -> None:
    assert service.client.get(f"/api/cleanup/plans/none/removals?{query}").status_code == 422
