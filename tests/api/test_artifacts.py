"""What is stale, why, and building it, over HTTP."""

from typing import Any

import pytest

from tests.api.checks import check_problem
from tests.api.conftest import Service
from tests.api.test_combined import annotate, film, move, upload

NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture
def image_id(service: Service) -> str:
    return upload(service, film())


def pending(service: Service, image_id: str) -> list[dict[str, Any]]:
    answer = service.client.get(f"/api/images/{image_id}/artifacts/pending").json()
    assert answer["total"] == len(answer["pending"])
    found: list[dict[str, Any]] = answer["pending"]
    return found


def test_a_batch_builds_the_earliest_frames_first(service: Service, image_id: str) -> None:
    late, early = annotate(service, image_id, 10, 19), annotate(service, image_id, 0, 9)
    found = pending(service, image_id)
    assert [(one["annotation_id"], one["cost"]) for one in found] == [(early, 10), (late, 10), (None, 1)]
    assert found[0]["frames"] == {"axis": "t", "first": 0, "last": 9}
    answer = service.client.post(f"/api/images/{image_id}/artifacts/process?max_batch=1").json()
    assert answer.pop("duration_ms") == pytest.approx(answer.pop("ms_per_image"), abs=0.2)
    assert answer == {"success": True, "processed": 1, "failed": 0, "remaining": 2, "total": 3}
    assert [one["annotation_id"] for one in pending(service, image_id)] == [late, None]
    answer = service.client.post(f"/api/annotations/{image_id}/process-regen-queue?maxBatch=100").json()
    assert (answer["processed"], answer["remaining"]) == (2, 0)
    assert service.client.get("/api/artifacts/?state=stale").json()["total"] == 0


def test_a_failure_is_no_success_and_can_be_decided_on(service: Service, image_id: str) -> None:
    annotation = annotate(service, image_id, 0, 9)
    (file,) = (path for path in service.uploads if path.is_file() and path.suffix == ".tif")
    data = file.read_bytes()
    file.write_bytes(data[:300])
    answer = service.client.post(f"/api/images/{image_id}/artifacts/process").json()
    assert (answer["success"], answer["processed"], answer["failed"], answer["remaining"]) == (False, 0, 2, 0)
    (failed,) = service.client.get("/api/artifacts/?state=failed&kind=combined").json()["artifacts"]
    assert failed["error"]
    address = f"/api/artifacts/{failed['id']}"
    found = service.client.get(address).json()
    assert (found["annotation_id"], found["filename"], found["attempts"]) == (annotation, "film.tif", 1)
    assert found["next"].startswith("attempt 2 after")
    ignored = service.client.post(f"{address}/ignore").json()
    assert (ignored["state"], ignored["next"].split()[0]) == ("ignored", "ignored")
    file.write_bytes(data)
    retried = service.client.post(f"{address}/retry").json()
    assert retried["next"] == "built by the next server or worker that is free, or when somebody asks for it"
    assert [one["artifact_id"] for one in pending(service, image_id)] == [failed["id"]]
    assert service.client.post(f"/api/images/{image_id}/artifacts/process").json()["success"]
    assert service.client.get(address).json()["state"] == "fresh"
    check_problem(service.client.post(f"{address}/ignore"), 409, "conflict")


def test_why_names_the_change(service: Service, image_id: str) -> None:
    annotation = annotate(service, image_id, 0, 9)
    service.client.post(f"/api/images/{image_id}/artifacts/process")
    (before,) = service.client.get("/api/artifacts/?kind=combined").json()["artifacts"]
    assert (before["state"], before["stale_since"]) == ("fresh", None)
    move(service, annotation, 0, 14)
    found = service.client.get(f"/api/artifacts/{before['id']}").json()
    assert (found["state"], found["wanted"], found["built"]) == ("stale", 2, 1)
    assert found["cause"] == "save by somebody: frames 0 to 14 along t"
    assert found["frames"] == {"axis": "t", "first": 0, "last": 14}
    assert found["stale_since"] is not None
    assert found["allows_stale"]


def test_rebuild_makes_stale(service: Service, image_id: str) -> None:
    service.client.post(f"/api/images/{image_id}/artifacts/process")
    (one,) = service.client.get(f"/api/artifacts/?image_id={image_id}").json()["artifacts"]
    assert service.client.post(f"/api/artifacts/{one['id']}/rebuild").json()["state"] == "stale"
    assert service.client.post(f"/api/images/{image_id}/artifacts/process").json()["processed"] == 1
    again = service.client.get(f"/api/artifacts/{one['id']}").json()
    assert (again["etag"], again["built"]) == (one["etag"], 2)


def test_lists_go_page_by_page(service: Service, image_id: str) -> None:
    for start in range(0, 30, 10):
        annotate(service, image_id, start, start + 9)
    found, cursor = [], None
    while True:
        words: dict[str, str] = {"limit": "2", "state": "stale", **({"cursor": cursor} if cursor else {})}
        page = service.client.get("/api/artifacts/", params=words).json()
        assert page["total"] == 4
        found += [one["id"] for one in page["artifacts"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(set(found)) == len(found) == 4


def test_events_name_the_annotation(service: Service, image_id: str) -> None:
    from coverslip.derive import open_catalog

    annotation = annotate(service, image_id, 0, 9)
    service.client.post(f"/api/images/{image_id}/artifacts/process")
    with open_catalog(service.settings.catalog_url) as catalog:
        built = [event for event in catalog.events_after(0) if event.type == "artifact.built"]
    assert [(event.data["kind"], event.data.get("annotation_id")) for event in built] == [
        ("combined", annotation),
        ("thumbnail", None),
    ]


def test_too_much_that_is_stale_is_a_warning(service: Service, image_id: str) -> None:
    for number in range(51):
        annotate(service, image_id, 0, 0, track=f"track {number}")
    health = service.client.get("/api/health").json()
    assert health["status"] == "ok"
    (warning,) = health["warnings"]
    assert warning.startswith(f"image {image_id} has 52 stale artifacts")


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("GET", "/api/artifacts/nobody"),
        ("POST", "/api/artifacts/nobody/rebuild"),
        ("POST", "/api/artifacts/nobody/retry"),
        ("POST", "/api/artifacts/nobody/ignore"),
        ("GET", f"/api/images/{NOBODY}/artifacts/pending"),
        ("POST", f"/api/images/{NOBODY}/artifacts/process"),
        ("POST", "/api/annotations/nobody/process-regen-queue"),
    ],
)
def test_what_is_not_there_is_said(service: Service, method: str, address: str) -> None:
    check_problem(service.client.request(method, address), 404, "not-found")


@pytest.mark.parametrize(
    ("address", "status", "kind"),
    [
        ("/api/artifacts/?kind=sketch", 400, "invalid-request"),
        ("/api/artifacts/?cursor=yesterday", 400, "invalid-request"),
        ("/api/artifacts/?state=old", 422, "invalid-parameter"),
        (f"/api/images/{NOBODY}/artifacts/pending?limit=0", 422, "invalid-parameter"),
    ],
)
def test_wrong_words_are_refused(service: Service, address: str, status: int, kind: str) -> None:
    check_problem(service.client.get(address), status, kind)
