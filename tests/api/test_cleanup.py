"""A cleanup over HTTP: plan, review, apply, undo, and the log; for this machine alone."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from coverslip.api import create_app
from coverslip.derive import open_catalog
from coverslip.ingest import add
from coverslip.ingest.importing import import_layout, open_layout
from coverslip.model.entities import EntityRecord
from coverslip.model.removal import Named
from coverslip.settings import Settings
from coverslip.storage import open_storage, put_content
from tests.api.checks import check_problem
from tests.api.conftest import Service, running
from tests.api.tiffs import write_stack
from tests.ingest.importing.layouts import ANNOTATION, SPACING, annotation, put, write_layout

ROUTES = ("/api/cleanup/plans", "/api/audit", "/api/audit/check", "/api/cleanup/files", "/api/cleanup/artifacts")
POSTED = (
    *("/api/cleanup/plans", "/api/cleanup/plans/x/apply", "/api/cleanup/plans/x/undo"),
    *("/api/cleanup/files/remove", "/api/cleanup/artifacts/remove"),
)


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
    images: dict[str, list[str]] = {"removed_images": [], "restored_images": [], "purged": [], "purged_images": []}
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


def test_the_log_names_somebody_for_a_request_without_an_author(service: Service) -> None:
    address = f"/api/cleanup/plans/{plan(service)['id']}"
    assert service.client.post(f"{address}/apply", json={}).status_code == 200
    assert service.client.post(f"{address}/undo", json={}).status_code == 200
    lines = service.client.get("/api/audit").json()["lines"]
    assert [(line["actor"], line["command"]) for line in lines] == [("local", "POST /api/cleanup/plans")] * 2


def test_what_makes_no_sense_is_refused(service: Service) -> None:
    client = service.client
    assert client.post("/api/cleanup/plans", json={"type": "annotation"}).status_code == 400
    assert client.post("/api/cleanup/plans", json={"type": "run", "everything": True}).status_code == 422
    assert client.post("/api/cleanup/plans", json={"type": "annotation", "run_id": 999}).status_code == 404
    assert client.get("/api/cleanup/plans/none").status_code == 404


@pytest.mark.parametrize("header", ["X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "X-Forwarded-Host"])
@pytest.mark.parametrize("route", ROUTES)
def test_whoever_comes_through_a_proxy_is_refused(service: Service, route: str, header: str) -> None:
    answer = service.client.get(route, headers={header: "203.0.113.7"})
    assert (answer.status_code, answer.json()["type"]) == (403, "only-from-here")


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        *(
            (host, True)
            for host in ("localhost", "LOCALHOST:18766", "127.0.0.1", "127.0.0.1:1", "[::1]", "[::1]:18766")
        ),
        *((host, False) for host in ("evil.example", "evil.example:18766", "192.168.1.4:18766", "0.0.0.0", "[::]:1")),
        *((host, False) for host in ("localhost.evil.example", "127.0.0.1.evil.example", "[", "")),
    ],
)
def test_a_page_that_points_its_own_name_at_this_machine_is_refused(tmp_path: Path, host: str, is_own: bool) -> None:
    app = create_app(Settings.load(home=tmp_path / "home", host="0.0.0.0"), build_in_background=False)

    async def asked() -> set[int]:
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 50000))
        named = {"Host": host, "Origin": f"http://{host}"} if host else {"Host": host}
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=named) as client,
        ):
            found = {(await client.get(route)).status_code for route in (*ROUTES, "/api/cleanup/plans/x/report")}
            return found | {(await client.post(route, json={})).status_code for route in POSTED}

    answers = anyio.run(asked)
    assert 403 not in answers if is_own else answers == {403}


def test_whoever_is_not_on_this_machine_is_refused_and_nothing_is_removed(tmp_path: Path) -> None:
    settings = Settings.load(home=tmp_path / "home", host="0.0.0.0")
    app = create_app(settings, build_in_background=False)

    async def asked(address: str) -> dict[str, int]:
        transport = httpx.ASGITransport(app, client=(address, 50000))
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client,
        ):
            found = {route: (await client.get(route)).status_code for route in ROUTES}
            found |= {route: (await client.post(route, json={})).status_code for route in POSTED}
            return found | {"/api/images/": (await client.get("/api/images/")).status_code}

    answers = anyio.run(asked, "203.0.113.7")
    assert answers.pop("/api/images/") == 200
    assert set(answers.values()) == {403}
    assert 403 not in anyio.run(asked, "127.0.0.1").values()


@pytest.fixture
def restricted(tmp_path: Path) -> Iterator[tuple[Service, Path]]:
    """Return a server on which ``ada`` may remove only annotations called ``mine``, and a layout with two that went."""
    top = write_layout(tmp_path / "portal")
    for number, name in ((101, "mine"), (102, "theirs")):
        put(top, f"{SPACING}/Annotations/{number}/{name}.json", annotation(name, name, number))
    with running(tmp_path / "home", permit=only_mine) as service:
        with open_catalog(service.settings.catalog_url) as catalog:
            import_layout(open_layout(top), catalog)
        for number in (101, 102):
            shutil.rmtree(top / SPACING / "Annotations" / str(number))
        yield service, top


def only_mine(actor: str, row: Named) -> bool:
    return actor == "root" or (actor == "ada" and (row.type != "annotation" or "/mine/" in row.identity))


def test_rows_that_an_actor_may_not_remove_are_neither_removed_nor_told(restricted: tuple[Service, Path]) -> None:
    service, _ = restricted
    every = plan(service, author="root")
    assert every["counts"]["found"] == 2
    address, ada = f"/api/cleanup/plans/{every['id']}", {"author": "ada"}
    mine = next(one["id"] for one in every["removals"] if "/mine/" in one["identity"])
    theirs = next(one["id"] for one in every["removals"] if "/theirs/" in one["identity"])
    own = plan(service, author="ada")
    assert ([one["id"] for one in own["removals"]], own["counts"]["rows"]) == ([mine], 1)
    seen = service.client.get(address, params=ada)
    assert "theirs" not in seen.text
    found = seen.json()
    assert ([one["id"] for one in found["removals"]], found["counts"]["found"]) == ([mine], 1)
    assert "rows" not in found["counts"]
    listed = service.client.get("/api/cleanup/plans", params=ada).json()["plans"]
    assert [one["counts"]["found"] for one in listed] == [1, 1]
    check_problem(service.client.get(address, params={"author": "bob"}), 404, "not-found")
    report = service.client.get(f"{address}/report", params=ada).json()
    assert (report["plan"]["counts"], report["totals"]["rows"], report["going"]) == (found["counts"], 1, 1)
    rows = service.client.get(f"{address}/removals", params={**ada, "group": 0}).json()
    assert ([one["id"] for one in rows["rows"]], rows["total"]) == ([mine], 1)
    for part in ("report", "removals", "kept", "orphans"):
        answer = service.client.get(f"{address}/{part}", params={"author": "bob", "state": "unknown"})
        check_problem(answer, 404, "not-found")
    assert service.client.get("/api/cleanup/plans", params={"author": "bob"}).json() == {"plans": []}
    check_problem(service.client.post(f"{address}/apply", json={"author": "bob"}), 404, "not-found")
    applied = service.client.post(f"{address}/apply", json=ada)
    assert applied.json()["removed"] == [mine]
    assert service.client.get(f"/api/entities/{theirs}").status_code == 200
    assert service.client.get(f"/api/entities/{mine}").status_code == 404
    assert service.client.get("/api/audit", params={"author": "bob"}).json() == {"lines": []}
    check_problem(service.client.post(f"{address}/undo", json={"author": "bob"}), 404, "not-found")
    assert service.client.post(f"{address}/undo", json=ada).json()["restored"] == [mine]


def test_what_another_actor_removed_is_not_brought_back_by_who_may_not(restricted: tuple[Service, Path]) -> None:
    service, _ = restricted
    every = plan(service, author="root")
    address = f"/api/cleanup/plans/{every['id']}"
    assert len(service.client.post(f"{address}/apply", json={"author": "root"}).json()["removed"]) == 2
    assert len(service.client.post(f"{address}/undo", json={"author": "ada"}).json()["restored"]) == 1
    assert service.client.get(address, params={"author": "root"}).json()["state"] == "applied"
    assert len(service.client.post(f"{address}/undo", json={"author": "root"}).json()["restored"]) == 1
    assert service.client.get(address, params={"author": "root"}).json()["state"] == "undone"


def test_images_whose_files_are_gone_are_cleaned_too(service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "library"
    folder.mkdir()
    for name in ("a.tif", "b.tif"):
        write_stack(folder / name)
    with open_catalog(service.settings.catalog_url) as catalog:
        add([folder], catalog=catalog)
    (folder / "a.tif").unlink()
    made = plan(service, type="image", layout=str(folder), everything=False, author="ada")
    (removal,) = made["removals"]
    assert (removal["id"], removal["key"], removal["layout"]) == (0, "a.tif", str(folder))
    address = f"/api/cleanup/plans/{made['id']}"
    applied = service.client.post(f"{address}/apply", json={"author": "ada"}).json()
    assert (applied["removed"], applied["removed_images"]) == ([], [removal["image_id"]])
    assert service.client.get(f"/api/images/{removal['image_id']}").status_code == 404
    undone = service.client.post(f"{address}/undo", json={}).json()
    assert undone["restored_images"] == [removal["image_id"]]
    assert service.client.get(f"/api/images/{removal['image_id']}").status_code == 200


def test_bytes_that_no_record_refers_to_are_listed_and_only_our_own_go(service: Service) -> None:
    (top,) = {one.layout for one in _entities(service)}
    put(Path(top), f"{SPACING}/Annotations/105/forgotten_point.ndjson", "12345")
    put(service.settings.uploads_folder, "killed.part", "123")
    client = service.client
    check_problem(client.get("/api/cleanup/files"), 400, "invalid-request")
    found = client.get("/api/cleanup/files", params={"everything": True}).json()
    assert f"{SPACING}/Annotations/105/forgotten_point.ndjson" in [one["key"] for one in found["files"]]
    assert [(one["kind"], one["may_go"]) for one in found["own"]] == [("part", True)]
    removed = client.post("/api/cleanup/files/remove", json={"author": "ada"}).json()
    assert (removed["files"], removed["problems"]) == (1, [])
    assert (Path(top) / SPACING / "Annotations/105/forgotten_point.ndjson").exists()
    assert client.get("/api/cleanup/files", params={"everything": True}).json()["own"] == []


def test_artifacts_that_nothing_needs_are_listed_and_removed(service: Service) -> None:
    client = service.client
    key, _ = put_content(open_storage(service.settings.artifacts_url), "thumbnail", b"old", ".png")
    os.utime(service.settings.home / "artifacts" / key, (1, 1))
    found = client.get("/api/cleanup/artifacts").json()
    assert found == {"artifacts": [{"key": key, "size": 3}], "kinds": {}, "held": ""}
    removed = client.post("/api/cleanup/artifacts/remove", json={}).json()
    assert removed == {"rows": 0, "files": 1, "bytes": 3, "problems": []}
    assert client.get("/api/cleanup/artifacts").json()["artifacts"] == []


def test_the_brake_holds_bytes_until_their_number_was_reviewed(service: Service) -> None:
    client = service.client
    for number in range(5):
        key, _ = put_content(open_storage(service.settings.artifacts_url), "thumbnail", bytes([number]), ".png")
        os.utime(service.settings.home / "artifacts" / key, (1, 1))
    held = "5 of 5 stored artifacts would be removed, more than 20%"
    assert client.get("/api/cleanup/artifacts").json()["held"] == held
    assert client.get("/api/cleanup/files", params={"everything": True}).json()["held"] == held
    for route in ("/api/cleanup/artifacts/remove", "/api/cleanup/files/remove"):
        answer = client.post(route, json={"allow_removal": 4})
        assert (answer.status_code, answer.json()["type"]) == (409, "conflict")
    assert len(client.get("/api/cleanup/artifacts").json()["artifacts"]) == 5
    assert client.post("/api/cleanup/files/remove", json={"allow_removal": 5}).json()["files"] == 5


def _entities(service: Service) -> list[EntityRecord]:
    with open_catalog(service.settings.catalog_url) as catalog:
        return catalog.entities(type="run")
