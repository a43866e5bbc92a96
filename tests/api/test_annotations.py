"""An annotator's session over HTTP."""

from typing import Any

import numpy as np
import pytest
import tifffile

from tests.api.conftest import Service

FRAMES = 60


@pytest.fixture
def image_id(service: Service) -> str:
    path = service.settings.home.parent / "film.tif"
    tifffile.imwrite(path, np.zeros((FRAMES, 16, 24), np.uint8), imagej=True, metadata={"axes": "TYX"})
    found: str = service.upload(path).json()["id"]
    return found


def create(service: Service, image_id: str, first: int, last: int, **more: Any) -> dict[str, Any]:
    body = {"frames": {"axis": "t", "first": first, "last": last}, **more}
    answer = service.client.post(f"/api/images/{image_id}/annotations", json=body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_session(service: Service, image_id: str) -> None:
    client = service.client
    left = create(service, image_id, 0, 9, author="ada", save_id="s1")["annotation"]
    right = create(service, image_id, 10, 19, label="division")["annotation"]
    assert (left["revision"], left["author"], left["stages"]) == (1, "ada", {"boundaries": "annotate", "text": "wait"})
    moved = client.patch(
        f"/api/annotations/{right['id']}",
        json={"revision": 1, "frames": {"axis": "t", "first": 7, "last": 19}, "stages": {"boundaries": "done"}},
    ).json()
    assert [one["frames"]["last"] for one in moved["neighbours"]] == [6]
    listed = client.get(f"/api/images/{image_id}/annotations").json()
    assert listed["total"] == 2
    assert [one["frames"]["first"] for one in listed["annotations"]] == [0, 7]
    assert client.get(f"/api/annotations/{right['id']}").json() == moved["annotation"]
    undone = client.post(f"/api/annotations/{right['id']}/undo", json={"author": "bo"}).json()
    assert undone["annotation"]["frames"]["first"] == 10
    history = client.get(f"/api/annotations/{right['id']}/history").json()["revisions"]
    assert [(one["action"], one["author"], one["undone"]) for one in history] == [
        ("undo", "bo", False),
        ("save", "", True),
        ("create", "", False),
    ]
    gone = client.delete(f"/api/annotations/{right['id']}", params={"revision": 3})
    assert gone.json()["annotation"]["deleted_at"]
    assert client.get(f"/api/images/{image_id}/annotations").json()["total"] == 1


def test_saved_meanwhile_comes_with_what_is_there(service: Service, image_id: str) -> None:
    one = create(service, image_id, 0, 9)["annotation"]
    address = f"/api/annotations/{one['id']}"
    now = service.client.patch(address, json={"revision": 1, "label": "first"}).json()["annotation"]
    late = service.client.patch(address, json={"revision": 1, "label": "second"})
    assert (late.status_code, late.json()["type"]) == (409, "saved-meanwhile")
    assert late.json()["current"] == now


def test_undo_says_what_has_to_be_done_first(service: Service, image_id: str) -> None:
    mine = create(service, image_id, 0, 9, author="ada")["annotation"]
    theirs = create(service, image_id, 5, 9, author="bob")["annotation"]
    address = f"/api/annotations/{mine['id']}/undo"
    refused = service.client.post(address, json={})
    assert (refused.status_code, refused.json()["type"]) == (409, "conflict")
    assert f"bob's create of annotation {theirs['id']}: undo that one" in refused.json()["detail"]
    late = service.client.post(address, json={"revision": 1})
    assert (late.status_code, late.json()["type"]) == (409, "saved-meanwhile")
    assert late.json()["current"] == service.client.get(f"/api/annotations/{mine['id']}").json()
    assert service.client.post(address, json={"revision": 0}).status_code == 422
    undo_theirs = f"/api/annotations/{theirs['id']}/undo"
    assert service.client.post(undo_theirs, json={"revision": 1}).json()["annotation"]["deleted_at"]
    back = service.client.post(undo_theirs, json={"revision": 2}).json()
    assert back["annotation"]["deleted_at"] is None
    assert [one["frames"]["last"] for one in back["neighbours"]] == [4]


def test_a_repeated_save_is_done_once(service: Service, image_id: str) -> None:
    first = create(service, image_id, 0, 9, save_id="same")
    again = create(service, image_id, 0, 9, save_id="same")
    assert again == {**first, "is_replay": True}
    assert service.client.get(f"/api/images/{image_id}/annotations").json()["total"] == 1


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"frames": {"axis": "t", "first": 5, "last": 60}}, 400, "60 frames along t"),
        ({"frames": {"axis": "t", "first": 5, "last": 4}}, 422, "must not come after"),
        ({"frames": {"axis": "x", "first": 5, "last": 6}}, 422, "frames.axis"),
        ({"frames": {"axis": "t", "first": 5, "last": 6}, "colour": "red"}, 422, "colour"),
        ({}, 422, "frames"),
    ],
)
def test_what_is_wrong_is_said(service: Service, image_id: str, body: dict[str, Any], status: int, words: str) -> None:
    answer = service.client.post(f"/api/images/{image_id}/annotations", json=body)
    assert answer.status_code == status
    assert words in answer.text


def test_an_unknown_field_of_a_change_is_named(service: Service, image_id: str) -> None:
    one = create(service, image_id, 0, 9)["annotation"]
    answer = service.client.patch(f"/api/annotations/{one['id']}", json={"revision": 1, "colour": "red"})
    assert answer.status_code == 422
    assert "no colour" in answer.text
    wrong = service.client.patch(f"/api/annotations/{one['id']}", json={"revision": 1, "label": 5})
    assert (wrong.status_code, wrong.json()["errors"]) == (400, ["label: Input should be a valid string"])


def test_what_is_not_there_is_404(service: Service, image_id: str) -> None:
    for method, address in (
        ("GET", "/api/annotations/nothing"),
        ("GET", "/api/annotations/nothing/history"),
        ("POST", "/api/annotations/nothing/undo"),
        ("GET", "/api/images/nothing/annotations"),
    ):
        assert service.client.request(method, address, json={}).status_code == 404, address
