"""A cleanup over HTTP: plan, review, apply, undo, and the log; for this machine alone."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coverslip.derive import open_catalog
from coverslip.ingest.importing import import_layout, open_layout
from tests.api.conftest import Service, running
from tests.ingest.importing.layouts import ANNOTATION, write_layout


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Return a server whose catalog has a layout of which an annotation is gone."""
    top = write_layout(tmp_path / "portal")
    with running(tmp_path / "home") as service:
        with open_catalog(service.settings.catalog_url) as catalog:
            import_layout(open_layout(top), catalog)
        shutil.rmtree((top / ANNOTATION).parent)
        yield service


def plan(service: Service, **more: Any) -> dict[str, Any]:
    answer = service.client.post("/api/cleanup/plans", json={"type": "annotation", "everything": True, **more})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_cleanup_is_planned_applied_undone_and_logged(service: Service) -> None:
    client = service.client
    made = plan(service, author="ada")
    ((removal,), group) = made["removals"], made["removals"][0]["group"]
    assert (removal["key"], group["run"], group["spacing"]) == (ANNOTATION, "TS_1", "13.480")
    assert (made["state"], made["counts"]["found"], made["stops"]) == ("open", 1, [])
    address = f"/api/cleanup/plans/{made['id']}"
    assert client.get(address).json() == made
    assert [one["id"] for one in client.get("/api/cleanup/plans").json()["plans"]] == [made["id"]]
    assert client.post(f"{address}/undo", json={}).status_code == 409
    applied = client.post(f"{address}/apply", json={"author": "ada"}).json()
    images = {"removed_images": [], "restored_images": []}
    assert applied == {"plan_id": made["id"], "removed": [removal["id"]], "restored": [], "stopped": [], **images}
    again = client.post(f"{address}/apply", json={})
    assert (again.status_code, again.json()["type"]) == (409, "conflict")
    assert plan(service)["removals"] == []
    assert client.post(f"{address}/undo", json={"author": "bob"}).json()["restored"] == [removal["id"]]
    assert client.get(address).json()["state"] == "undone"
    lines = client.get("/api/audit", params={"plan_id": made["id"]}).json()["lines"]
    assert [(line["actor"], line["action"], line["record"]["id"]) for line in lines] == [
        ("ada", "remove", removal["id"]),
        ("bob", "restore", removal["id"]),
    ]
    assert client.get("/api/audit/check").json() == {"lines": 2, "problems": []}
    metrics = client.get("/metrics").text
    assert 'coverslip_cleanup_rows_total{what="removed"} 1\n' in metrics
    assert 'coverslip_cleanup_rows_total{what="restored"} 1\n' in metrics
    assert "coverslip_cleanup_brake_stops_total 0\n" in metrics


def test_what_makes_no_sense_is_refused(service: Service) -> None:
    client = service.client
    assert client.post("/api/cleanup/plans", json={"type": "annotation"}).status_code == 400
    assert client.post("/api/cleanup/plans", json={"type": "run", "everything": True}).status_code == 422
    assert client.post("/api/cleanup/plans", json={"type": "annotation", "run_id": 999}).status_code == 404
    assert client.get("/api/cleanup/plans/none").status_code == 404


@pytest.mark.parametrize("route", ["/api/cleanup/plans", "/api/audit", "/api/audit/check"])
def test_whoever_comes_through_a_proxy_is_refused(service: Service, route: str) -> None:
    answer = service.client.get(route, headers={"X-Forwarded-For": "203.0.113.7"})
    assert (answer.status_code, answer.json()["type"]) == (403, "only-from-here")
