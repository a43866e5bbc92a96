"""Storages of both kinds; the bucket is on a real S3-protocol server."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip.storage import Storage, open_storage
from tests.services.s3 import S3Server, serve_s3


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    with serve_s3() as server:
        server.make_bucket("coverslip")
        yield server


@pytest.fixture
def bucket_url(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return an empty corner of a bucket, with the environment that gives access to it."""
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://coverslip/lab/{uuid.uuid4().hex}"


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.service)])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return open_storage(str(tmp_path / "artifacts"))
    return open_storage(request.getfixturevalue("bucket_url"))
