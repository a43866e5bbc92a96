"""Places to ingest from and to: folders, and buckets on a real S3-protocol server."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.s3 import S3Server, serve_s3

BUCKET = "ingests"


@pytest.fixture(scope="session")
def ingest_server() -> Iterator[S3Server]:
    with serve_s3() as server:
        server.make_bucket(BUCKET)
        yield server


@pytest.fixture
def bucket(ingest_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of an empty corner of a bucket, with the environment that gives access to it."""
    for name, value in ingest_server.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid.uuid4().hex}"


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.service)])
def top(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the top of a layout that is not there yet."""
    return str(tmp_path / "layout") if request.param == "folder" else f"{request.getfixturevalue('bucket')}/layout"
