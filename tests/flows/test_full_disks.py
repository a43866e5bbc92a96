"""A disk is full, or may not be written: clear words, nothing torn, and all is well by itself when there is room."""

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tifffile

from coverslip.derive import open_catalog
from examples import annotator
from tests.api.checks import check_problem
from tests.api.conftest import Service
from tests.flows.film import Film, add_film, all_fresh, check_end, make_film, until
from tests.services.commands import server
from tests.services.disk import CannotMountError, Disk, small_disk

pytestmark = pytest.mark.service

SETTINGS = {"lease_seconds": 2, "opportunistic_pause_seconds": 2}


@pytest.fixture
def film() -> Film:
    return make_film(64, 64)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    try:
        with small_disk(tmp_path / "disk", 16) as found:
            yield found
    except CannotMountError as error:
        pytest.skip(f"nothing can be mounted here ({error}); an ordinary user's run of it is the test at the end")


def save(service: Service, annotation_id: str) -> httpx.Response:
    """Move the beginning of an annotation by a frame, whatever comes of it."""
    now = service.client.get(f"/api/annotations/{annotation_id}").json()
    frames = {**now["frames"], "first": now["frames"]["first"] - 1}
    return service.client.patch(
        f"/api/annotations/{annotation_id}", json={"frames": frames, "revision": now["revision"]}
    )


def failed(service: Service) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = service.client.get("/api/artifacts/?state=failed").json()["artifacts"]
    return found


def check_whole(folder: Path) -> None:
    """Fail when a published artifact is torn or unfinished work was left."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.parent.name != "catalogs"]
    assert found
    assert [path for path in found if hashlib.sha256(path.read_bytes()).hexdigest() != path.stem] == []


def test_artifacts_on_a_full_disk(tmp_path: Path, film: Film, disk: Disk) -> None:
    artifacts = disk.folder / "artifacts"
    with server(tmp_path / "home", storage_url=str(artifacts), **SETTINGS) as (service, serving):
        image_id = add_film(service, film)
        ids = annotator.work(service.client, image_id, 3, "ada")
        until(lambda: all_fresh(service))
        address = f"/api/annotations/{ids[1]}/combined"
        before = service.client.get(address)
        disk.fill()
        assert save(service, ids[1]).status_code == 200
        until(lambda: len(failed(service)) == 2, "it and its neighbour do not fail")
        for row in failed(service):
            assert row["error"].startswith(f"cannot write {artifacts}/combined/")
            assert row["error"].endswith(": the disk is full")
            assert row["attempts"] >= 1
            assert row["next_try_at"] is not None
        for _ in range(2):
            answer = service.client.get(address)
            check_problem(answer, 503, "not-built-yet")
            assert answer.json()["detail"].endswith(": the disk is full")
        previous = service.client.get(f"{address}?stale=allow")
        assert (previous.status_code, previous.headers["x-coverslip-stale"]) == (200, "true")
        assert previous.content == before.content
        until(lambda: service.client.get("/api/health").status_code == 503)
        assert service.client.get("/api/health").json()["storage"] == f"cannot write in {artifacts}: the disk is full"
        check_whole(artifacts)
        disk.free()
        assert check_end(service, image_id, film) == 3
        assert service.client.get(address).content != before.content
        check_whole(artifacts)
        assert service.client.get("/api/health").status_code == 200
        assert "Traceback" not in serving.said


def test_a_storage_that_may_not_be_written_for_a_while(tmp_path: Path, film: Film, disk: Disk) -> None:
    with server(tmp_path / "home", storage_url=str(disk.folder / "artifacts"), **SETTINGS) as (service, serving):
        image_id = add_film(service, film)
        ids = annotator.work(service.client, image_id, 3, "ada")
        until(lambda: all_fresh(service))
        disk.may_be_written(False)
        assert save(service, ids[2]).status_code == 200
        until(lambda: len(failed(service)) == 2)
        assert {row["error"].split(": ")[-1] for row in failed(service)} == {"Read-only file system"}
        assert service.client.get(f"/api/annotations/{ids[0]}/combined").status_code == 200  # reading goes on
        disk.may_be_written(True)
        for row in failed(service):
            assert service.client.post(f"/api/artifacts/{row['id']}/retry").status_code == 200
        assert check_end(service, image_id, film) == 3
        assert "Traceback" not in serving.said


def test_catalog_and_uploads_on_a_full_disk(tmp_path: Path, film: Film, disk: Disk) -> None:
    home = disk.folder / "home"
    with server(home, **SETTINGS) as (service, serving):
        image_id = add_film(service, film)
        ids = annotator.work(service.client, image_id, 3, "ada")
        until(lambda: all_fresh(service))
        uploads = service.uploads
        disk.fill()
        refused = save(service, ids[1])
        check_problem(refused, 503, "catalog-unavailable")
        assert refused.json()["detail"] == f"the catalog sqlite:///{home}/catalog.sqlite cannot grow: the disk is full"
        assert service.client.get(f"/api/images/{image_id}/annotations").status_code == 200
        large = tmp_path / "large.tif"
        tifffile.imwrite(large, np.random.default_rng(1).integers(0, 256, (6, 1024, 1024), np.uint8))
        answer = service.upload(large)
        check_problem(answer, 503, "storage-unavailable")
        assert answer.json()["detail"] == "the upload could not be kept: the disk is full"
        assert service.uploads == uploads
        disk.free()
        until(lambda: save(service, ids[1]).status_code == 200)
        until(lambda: all_fresh(service))
        size = large.stat().st_size
        disk.fill(leave=size + 4 * 4096 - size % 4096)  # the file has room, its entry has not
        answer = service.upload(large)
        assert answer.status_code == 503
        assert answer.json()["type"] in {"catalog-unavailable", "storage-unavailable"}
        assert answer.json()["detail"].endswith(": the disk is full")
        assert service.uploads == uploads
        assert service.total() == 1
        disk.free()
        assert service.upload(large).status_code == 201
        assert check_end(service, image_id, film) == 3
        with open_catalog(service.settings.catalog_url) as catalog:
            saved = [one.action for one in catalog.annotation_history(ids[1])]
        assert saved.count("save") == 2  # that of the session, and one that was acknowledged
        assert "Traceback" not in serving.said
    with closing(sqlite3.connect(home / "catalog.sqlite")) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_all_of_this_as_an_ordinary_user() -> None:
    if os.geteuid() == 0:
        pytest.skip("root has run it already")
    order = ["unshare", "-rm"]
    if shutil.which("unshare") is None or subprocess.run([*order, "true"], check=False).returncode != 0:
        pytest.skip("this machine gives ordinary users no namespaces, so nothing can be mounted")
    again = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "not ordinary_user"]
    done = subprocess.run([*order, *again], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
