import sqlite3
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import pytest

from coverslip.api.checks import BELIEVED_SECONDS, Checks
from coverslip.derive import open_catalog
from coverslip.errors import StorageError
from coverslip.storage import FolderStorage
from tests.api.checks import broken_catalog, check_problem
from tests.api.conftest import Service

KEYS = {"status", "version", "catalog", "storage", "images", "stale", "failed", "queue", "queue_depth", "warnings"}


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
        "queue": None,
        "queue_depth": None,
        "warnings": [],
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


def test_asking_again_and_again_keeps_no_writer_waiting(service: Service) -> None:
    assert service.client.get("/api/health").status_code == 200
    catalog, artifacts = service.settings.home / "catalog.sqlite", service.settings.home / "artifacts"
    before = artifacts.stat().st_mtime_ns
    with closing(sqlite3.connect(catalog, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert service.client.get("/api/health", timeout=10).status_code == 200
        writer.execute("ROLLBACK")
    assert artifacts.stat().st_mtime_ns == before


def test_a_good_check_is_believed_for_ten_seconds_and_a_bad_one_not_at_all(tmp_path: Path) -> None:
    seconds = 0.0
    storage = FolderStorage(tmp_path / "artifacts")
    with open_catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}") as catalog:
        checks = Checks(catalog, storage, clock=lambda: seconds)
        checks.storage()
        storage.root.rename(tmp_path / "elsewhere")
        storage.root.write_text("a file where the folder should be")
        checks.storage()
        seconds = BELIEVED_SECONDS
        for _ in range(2):
            with pytest.raises(StorageError):
                checks.storage()
        storage.root.unlink()
        checks.storage()
