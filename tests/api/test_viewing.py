"""Viewer states over HTTP, views that people keep of them, and the way into the viewer."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from coverslip.derive import open_catalog
from coverslip.model.entities import EntityRecord
from coverslip.model.removal import CleanupPlan, Removal, Scope
from tests.api.checks import check_problem
from tests.api.conftest import Service, running
from tests.api.layouts import Layout, ingested, points, write_layout


@dataclass(frozen=True)
class Deposited:
    """A server with a tomogram and its annotations."""

    service: Service
    layout: Layout
    image_id: str

    @property
    def client(self) -> httpx.Client:
        """Of the server."""
        return self.service.client

    def state(self, **options: Any) -> httpx.Response:
        """Ask for the state."""
        return self.client.get(f"/api/images/{self.image_id}/neuroglancer.json", **options)

    def keep(self, **view: Any) -> dict[str, Any]:
        """Keep a view."""
        answer = self.client.post(f"/api/images/{self.image_id}/views", json=view)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def state_of(self, view: dict[str, Any]) -> dict[str, Any]:
        """Return the state of a view."""
        found: dict[str, Any] = self.client.get(f"/api/views/{view['id']}/neuroglancer.json").json()
        return found

    def add(self, name: str) -> None:
        """Let another annotation arrive."""
        self.layout.annotate(name, "Point", points((5, 6, 7)), "ndjson")
        with open_catalog(self.service.settings.catalog_url) as catalog:
            self.layout.sync(catalog)


@pytest.fixture
def deposited(tmp_path: Path) -> Iterator[Deposited]:
    layout = write_layout(tmp_path / "layout")
    with running(tmp_path / "home") as service:
        yield Deposited(service, layout, ingested(service.settings, layout))


def names(state: dict[str, Any]) -> list[str]:
    return [layer["name"] for layer in state["layers"]]


FIRST = [
    "TS_1",
    "6 ribosome point",
    "7 proteasome orientedpoint",
    "8 membrane segmentation",
    "9 vesicle mesh",
]


def test_a_state_is_built_once_and_known_by_its_etag(deposited: Deposited) -> None:
    answer = deposited.state()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-cache")
    assert names(answer.json()) == FIRST
    etag = answer.headers["etag"]
    again = deposited.state(headers={"if-none-match": etag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    deposited.add("late")
    changed = deposited.state(headers={"if-none-match": etag})
    assert changed.status_code == 200
    assert names(changed.json()) == [*FIRST, "10 late point"]


def test_sources_have_the_address_that_was_asked(deposited: Deposited) -> None:
    here = deposited.service.address
    urls = [layer["source"]["url"] for layer in deposited.state().json()["layers"]]
    assert urls[0] == f"zarr2://{here}/api/images/{deposited.image_id}/zarr04"
    assert urls[1] == f"precomputed://{here}/api/entities/6/precomputed/point"
    other = deposited.state(headers={"host": "localhost:1234", "x-forwarded-proto": "https"})
    assert other.json()["layers"][1]["source"]["url"].startswith("precomputed://https://localhost:1234/api/")
    assert other.headers["etag"] != deposited.state().headers["etag"]


def test_the_previous_state_will_do_for_who_says_so(deposited: Deposited) -> None:
    before = deposited.state()
    deposited.add("late")
    stale = deposited.state(params={"stale": "allow"})
    assert (stale.headers["x-coverslip-stale"], stale.content) == ("true", before.content)
    assert "x-coverslip-stale" not in deposited.state().headers
    assert "x-coverslip-stale" not in deposited.state(params={"stale": "allow"}).headers
    check_problem(deposited.state(params={"stale": "no"}), 422, "invalid-parameter")


@pytest.mark.parametrize("path", ["/view/{}", "/api/images/{}/neuroglancer"])
def test_the_way_into_the_viewer_is_short(deposited: Deposited, path: str) -> None:
    answer = deposited.client.get(path.format(deposited.image_id))
    assert answer.status_code == 307
    client, _, state = answer.headers["location"].partition("#!")
    assert deposited.client.get(client).headers["content-type"].startswith("text/html")
    assert deposited.client.get(state).json() == deposited.state().json()
    check_problem(deposited.client.get(path.format("nothing")), 404, "not-found")


def test_a_following_view_shows_what_is_new(deposited: Deposited) -> None:
    view = deposited.keep(name="all", author="ada")
    assert (view["name"], view["author"], view["is_frozen"], view["has_edits"]) == ("all", "ada", False, False)
    assert view["url"] == f"/v/{view['id']}"
    assert deposited.state_of(view) == deposited.state().json()
    deposited.add("late")
    assert names(deposited.state_of(view)) == [*FIRST, "10 late point"]


@pytest.mark.parametrize("is_given", [True, False])
def test_a_frozen_view_goes_on_to_show_what_was_there(deposited: Deposited, is_given: bool) -> None:
    before = deposited.state().json()
    view = deposited.keep(is_frozen=True, **({"state": before} if is_given else {}))
    deposited.add("late")
    assert deposited.state_of(view) == before
    moved = deposited.client.get(f"/api/views/{view['id']}/neuroglancer.json", headers={"host": "localhost:9"}).json()
    assert moved["layers"][1]["source"]["url"] == "precomputed://http://localhost:9/api/entities/6/precomputed/point"
    changed = deposited.client.patch(f"/api/views/{view['id']}", json={"state": {}})
    check_problem(changed, 409, "conflict")
    assert deposited.client.patch(f"/api/views/{view['id']}", json={"name": "then"}).json()["name"] == "then"


def test_a_frozen_view_of_a_part_of_a_state_has_the_present_layers(deposited: Deposited) -> None:
    view = deposited.keep(is_frozen=True, state={"layout": "xy"})
    before = deposited.state().json()
    deposited.add("late")
    assert deposited.state_of(view) == {**before, "layout": "xy"}


def test_edits_are_kept_and_new_layers_come_to_them(deposited: Deposited) -> None:
    edited = deposited.state().json()
    edited["position"] = [1, 2, 3]
    edited["layers"][1] |= {"annotationColor": "#abcdef", "visible": False}
    edited["layers"].append({"type": "annotation", "name": "mine", "source": "local://annotations", "annotations": []})
    view = deposited.keep(state=edited)
    assert view["has_edits"]
    deposited.add("late")
    found = deposited.state_of(view)
    assert found["position"] == [1, 2, 3]
    assert names(found) == [*FIRST, "mine", "10 late point"]
    assert (found["layers"][1]["annotationColor"], found["layers"][1]["visible"]) == ("#abcdef", False)
    assert found["layers"][1]["source"] == deposited.state().json()["layers"][1]["source"]
    answer = deposited.client.patch(f"/api/views/{view['id']}", json={"state": {"layout": "xy"}})
    assert answer.status_code == 200
    assert deposited.state_of(view) == {**deposited.state().json(), "layout": "xy"}


def test_views_and_links_that_name_a_duplicate_follow_to_the_record_that_stayed(deposited: Deposited) -> None:
    """Two imports called one annotation differently: 6 and 10 are of the same document, and 10 becomes part of 6."""
    first = next(one for one in deposited.layout.seen if one.name == "ribosome")
    again = replace(first, identity=f"{first.identity} again", name="ribosome again")
    with open_catalog(deposited.service.settings.catalog_url) as catalog:
        catalog.sync_entities(str(deposited.layout.top), [again])
    edited = deposited.state().json()
    assert names(edited)[-1] == "10 ribosome point"
    edited["layers"][-1] |= {"annotationColor": "#abcdef"}
    edited["layers"] = [layer for layer in edited["layers"] if layer["name"] != "6 ribosome point"]
    following, frozen = deposited.keep(state=edited), deposited.keep(is_frozen=True, state=edited)
    with open_catalog(deposited.service.settings.catalog_url) as catalog:
        rows = {one.id: one for one in catalog.entities(type="annotation")}
        duplicate = replace(_removal(rows[10]), reason="duplicate", merged_into=6)
        catalog.keep_plan(CleanupPlan("merge", Scope("annotation"), catalog.now(), "", removals=(duplicate,)))
        catalog.apply_plan("merge", actor="ada")
    stayed = f"precomputed://{deposited.service.address}/api/entities/6/precomputed/point"
    for view in (following, frozen):
        (layer,) = [one for one in deposited.state_of(view)["layers"] if one["name"] == "10 ribosome point"]
        assert (layer["source"]["url"], layer["annotationColor"]) == (stayed, "#abcdef")
    assert len(deposited.state_of(following)["layers"]) == 5
    assert deposited.client.get("/api/entities/10").json()["id"] == 6
    assert deposited.client.get("/api/entities/10/precomputed/point/info").status_code == 200
    with open_catalog(deposited.service.settings.catalog_url) as catalog:
        catalog.undo_plan("merge", actor="ada")
    (layer,) = [one for one in deposited.state_of(frozen)["layers"] if one["name"] == "10 ribosome point"]
    assert layer["source"]["url"] == stayed.replace("/6/", "/10/")
    assert deposited.client.get("/api/entities/10").json()["id"] == 10


def _removal(one: EntityRecord) -> Removal:
    return Removal(one.type, one.id, one.identity, one.layout, one.key, one.revision)


def test_views_are_listed_opened_and_removed(deposited: Deposited) -> None:
    first, second = deposited.keep(name="a"), deposited.keep(name="b", is_frozen=True)
    listed = deposited.client.get(f"/api/images/{deposited.image_id}/views").json()["views"]
    assert [one["id"] for one in listed] == [first["id"], second["id"]]
    assert "state" not in listed[0]
    assert deposited.client.get(f"/api/views/{second['id']}").json() == second
    location = deposited.client.get(second["url"]).headers["location"]
    assert location.endswith(f"#!{deposited.service.address}/api/views/{second['id']}/neuroglancer.json")
    assert len(location) < 200
    assert deposited.client.delete(f"/api/views/{second['id']}").status_code == 204
    for method, path in (("get", ""), ("patch", ""), ("delete", ""), ("get", "/neuroglancer.json")):
        gone = deposited.client.request(method, f"/api/views/{second['id']}{path}", json={"name": "c"})
        check_problem(gone, 404, "not-found")
    check_problem(deposited.client.get(second["url"]), 404, "not-found")


def test_the_views_of_a_deleted_image_are_hidden_with_it(deposited: Deposited) -> None:
    view = deposited.keep()
    deposited.client.delete(f"/api/images/{deposited.image_id}")
    check_problem(deposited.client.get(view["url"]), 404, "not-found")
    check_problem(deposited.client.get(f"/api/images/{deposited.image_id}/views"), 404, "not-found")


@pytest.mark.parametrize(
    ("body", "status", "type_"),
    [
        (b"{", 400, "invalid-request"),
        (b'{"frozen": true}', 400, "invalid-request"),
        (b'{"state": []}', 400, "invalid-request"),
        (b'{"state": {"layers": [{}]}}', 400, "invalid-request"),
        (json.dumps({"name": "n" * 300}).encode(), 400, "invalid-request"),
        (json.dumps({"state": {"title": "n" * (5 << 20)}}).encode(), 413, "too-large"),
    ],
)
def test_what_is_no_view_is_refused(deposited: Deposited, body: bytes, status: int, type_: str) -> None:
    path = f"/api/images/{deposited.image_id}/views"
    assert deposited.client.post(path, content=body).json()["type"] == type_
    check_problem(deposited.client.post(path, content=body), status, type_)
    assert deposited.client.get(path).json() == {"views": []}


def test_nothing_is_kept_of_an_image_that_is_not_there(deposited: Deposited) -> None:
    check_problem(deposited.client.post("/api/images/nothing/views", json={}), 404, "not-found")


def test_states_of_a_run_are_built_anew_when_somebody_says_so(deposited: Deposited) -> None:
    deposited.state()
    stale = {"kind": "neuroglancer_state", "state": "stale"}
    assert deposited.client.get("/api/artifacts/", params=stale).json()["total"] == 0
    answer = deposited.client.post("/api/artifacts/rebuild", json={"kind": "neuroglancer_state", "run": "TS_1"})
    assert answer.json() == {"count": 1}
    assert deposited.client.get("/api/artifacts/", params=stale).json()["total"] == 1
    check_problem(deposited.client.post("/api/artifacts/rebuild", json={"run": "TS_9"}), 404, "not-found")
    check_problem(deposited.client.post("/api/artifacts/rebuild", json={"kind": "none"}), 400, "invalid-request")
    check_problem(deposited.client.post("/api/artifacts/rebuild", json={"image_id": "x"}), 404, "not-found")
    for body in ({}, {"everything": True, "run": "TS_1"}, {"runs": "TS_1"}):
        check_problem(deposited.client.post("/api/artifacts/rebuild", json=body), 422, "invalid-parameter")
    everything = deposited.client.post("/api/artifacts/rebuild", json={"everything": True}).json()["count"]
    assert everything > 1


def test_events_and_artifacts_of_entities_name_them(deposited: Deposited) -> None:
    deposited.client.get("/api/entities/6/precomputed/point/info")
    (artifact,) = deposited.client.get("/api/artifacts/", params={"kind": "precomputed-point"}).json()["artifacts"]
    assert (artifact["entity_id"], artifact["image_id"], artifact["state"]) == (6, deposited.image_id, "fresh")
    with open_catalog(deposited.service.settings.catalog_url) as catalog:
        built = [event.data for event in catalog.events_after(0) if event.type == "artifact.built"]
    assert [one["entity_id"] for one in built if one["kind"] == "precomputed-point"] == [6]
