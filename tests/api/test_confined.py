"""Uploads are opened in confined processes: what they do there hurts nobody else."""

import sys
from pathlib import Path

import psutil
import pytest

from tests.api.checks import check_problem
from tests.api.conftest import Service, running
from tests.api.tiffs import write_stack
from tests.confined.strange import install


def confined() -> list[psutil.Process]:
    """Return the confined processes of this one."""
    found = psutil.Process().children()
    return [process for process in found if "coverslip.confined.worker" in process.cmdline()]


def test_an_upload_is_never_opened_by_the_server_itself(service: Service, stack_file: Path) -> None:
    assert confined() == []
    image = service.upload(stack_file).json()["id"]
    assert len(confined()) == 1
    address = f"/api/images/{image}"
    for route in ("thumbnail", "slice/1", "mip", "region?w=16&h=16", "stats", "zarr/zarr.json", "zarr/0/c/0/0/0/0/0"):
        answer = service.client.get(f"{address}/{route}")
        assert answer.status_code == 200, answer.text
    (path,) = [path for path in service.uploads if path.is_file()]
    assert str(path) in [file.path for process in confined() for file in process.open_files()]
    assert str(path) not in [file.path for file in psutil.Process().open_files()]


@pytest.mark.kill
@pytest.mark.parametrize(
    ("word", "type_", "said"),
    [
        ("crash", "unreadable-file", "crashed with SIGSEGV"),
        ("memory", "beyond-budget", "raise COVERSLIP_BUDGET_MEMORY_BYTES"),
        ("alarm", "beyond-budget", "raise COVERSLIP_BUDGET_SECONDS"),
    ],
)
def test_an_upload_that_kills_is_refused(
    word: str, type_: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path / "site", monkeypatch)
    (tmp_path / "sent").write_text(word)
    with running(tmp_path / "home") as service:
        answer = service.upload(tmp_path / "sent", "evil.strange")
        check_problem(answer, 422, type_)
        assert said in answer.json()["detail"]
        assert answer.json()["detail"].startswith("evil.strange: ")
        assert (service.uploads, service.total()) == ([], 0)
        stack = write_stack(tmp_path / "cells.ome.tif")
        assert service.upload(stack).status_code == 201
    assert confined() == []


@pytest.mark.kill
def test_a_read_that_kills_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", monkeypatch)
    (tmp_path / "sent").write_text("then-crash")
    with running(tmp_path / "home") as service:
        good = service.upload(write_stack(tmp_path / "cells.ome.tif")).json()["id"]
        evil = service.upload(tmp_path / "sent", "evil.strange").json()["id"]
        for _ in range(2):
            check_problem(service.client.get(f"/api/images/{evil}/slice/0"), 422, "unreadable-file")
            assert service.client.get(f"/api/images/{good}/slice/0").status_code == 200
            assert service.client.get(f"/api/images/{evil}/zarr/0/c/0/0/0/0/0").status_code == 500
        check_problem(service.client.get(f"/api/images/{evil}/thumbnail"), 422, "undrawable")


@pytest.mark.kill
def test_where_no_process_can_be_started_the_server_is_busy(
    service: Service, stack_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/api/images/{service.upload(stack_file).json()['id']}"
    kept = service.uploads
    for process in confined():
        process.kill()
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/nowhere/python")
        for answer in (service.upload(stack_file), service.client.get(f"{address}/slice/1")):
            check_problem(answer, 503, "busy")
            assert answer.headers["retry-after"]
        check_problem(service.client.get(f"{address}/thumbnail"), 503, "not-built-yet")
        assert (service.uploads, service.total()) == (kept, 1)
    assert service.client.get(f"{address}/slice/1").status_code == 200
