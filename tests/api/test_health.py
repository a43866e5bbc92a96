from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from tests.api.checks import broken_catalog, check_problem
from tests.api.conftest import Service

KEYS = {"status", "version", "catalog", "storage", "images", "stale", "failed"}


def test_all_is_well(service: Service, stack_file: Path) -> None:
    service.upload(stack_file)
    answer = service.client.get("/api/health")
    assert answer.status_code == 200
    document = answer.json()
    assert set(document) == KEYS
    assert document == {
        "status": "ok",
        "version": version("coverslip"),
        "catalog": "ok",
        "storage": "ok",
        "images": 1,
        "stale": 1,
        "failed": 0,
    }


def test_a_storage_that_cannot_be_written(service: Service) -> None:
    artifacts = service.settings.home / "artifacts"
    artifacts.rename(service.settings.home / "elsewhere")
    artifacts.write_text("a file where the folder should be")
    answer = service.client.get("/api/health")
    assert answer.status_code == 503
    document = answer.json()
    assert document["status"] == "degraded"
    assert document["catalog"] == "ok"
    assert str(artifacts) in document["storage"]
    assert document["images"] == 0


def test_a_catalog_that_fails(service: Service) -> None:
    with broken_catalog(service.settings.home):
        answer = service.client.get("/api/health")
        assert answer.status_code == 503
        document = answer.json()
        assert document["status"] == "degraded"
        assert document["catalog"] != "ok"
        assert document["storage"] == "ok"
        assert document["images"] is None
        for address in ("/api/images/", "/api/events", f"/api/images/{uuid4()}", f"/api/images/{uuid4()}/thumbnail"):
            check_problem(service.client.get(address), 503, "catalog-unavailable")
    assert service.client.get("/api/health").status_code == 200
