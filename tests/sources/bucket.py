"""A corner of a bucket on a real S3-protocol server, and a proxy in front of it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
import pytest
from obstore.store import S3Store

from tests.services.proxy import Proxy, proxy_to
from tests.services.s3 import S3Server, serve_s3

if TYPE_CHECKING:
    from obstore.store import S3Config

BUCKET = "lab-images"


@dataclass(frozen=True)
class Corner:
    """An empty prefix of a bucket."""

    server: S3Server
    proxy: Proxy
    prefix: str

    @property
    def url(self) -> str:
        """Its address."""
        return f"s3://{BUCKET}/{self.prefix}"

    def put(self, name: str, data: bytes) -> str:
        """Write an object and return its address."""
        obstore.put(self._store(), f"{self.prefix}/{name}", data, use_multipart=False)
        return f"{self.url}/{name}"

    def put_tree(self, path: Path) -> str:
        """Write a file, or everything in a folder, under its own name and return the address."""
        for one in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if one.is_file():
                self.put(str(one.relative_to(path.parent)), one.read_bytes())
        return f"{self.url}/{path.name}"

    def remove(self, name: str) -> None:
        """Remove an object."""
        obstore.delete(self._store(), f"{self.prefix}/{name}")

    def _store(self) -> S3Store:
        config: S3Config = {
            "endpoint": self.server.url,
            "access_key_id": self.server.access_key,
            "secret_access_key": self.server.secret_key,
            "region": "us-east-1",
        }
        return S3Store(BUCKET, config=config, client_options={"allow_http": True})


@contextmanager
def serve_bucket() -> Iterator[S3Server]:
    """Run a server with a bucket."""
    with serve_s3() as server:
        server.make_bucket(BUCKET)
        yield server


@contextmanager
def corner_of(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corner]:
    """Give an empty corner, with an environment that leads to it through a proxy."""
    parts = urlsplit(server.url)
    with proxy_to(parts.hostname or "", parts.port or 0) as proxy:
        for name, value in server.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        yield Corner(server, proxy, uuid.uuid4().hex)
