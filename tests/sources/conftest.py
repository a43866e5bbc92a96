"""A bucket, a web server and rules that allow them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip.sources import RemoteRules
from tests.services.s3 import S3Server
from tests.services.web import WebFolder, serve_web
from tests.sources.bucket import Corner, corner_of, serve_bucket


@pytest.fixture(scope="module")
def s3_server() -> Iterator[S3Server]:
    with serve_bucket() as server:
        yield server


@pytest.fixture
def corner(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corner]:
    with corner_of(s3_server, monkeypatch) as corner:
        yield corner


@pytest.fixture
def web(tmp_path: Path) -> Iterator[WebFolder]:
    folder = tmp_path / "web"
    folder.mkdir()
    with serve_web(folder) as web:
        yield web


@pytest.fixture
def rules(web: WebFolder, tmp_path: Path) -> RemoteRules:
    return RemoteRules((web.url, "s3://lab-images"), tmp_path / "copies", 1 << 30)
