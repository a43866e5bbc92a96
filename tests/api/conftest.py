"""A real server on a free loopback port, with a catalog, a storage and an uploads folder of its own."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from coverslip.api import create_app
from coverslip.model.removal import Permit, anything
from coverslip.settings import Settings
from tests.api.tiffs import write_stack


@contextmanager
def serving(app: FastAPI, host: str = "127.0.0.1") -> Iterator[str]:
    """Run an app in a thread of this process and give its address."""
    with socket.create_server((host, 0)) as listener:
        # inherited by every connection; without it each small answer waits 40 ms for an acknowledgement
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", timeout_graceful_shutdown=5))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://{host}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@dataclass(frozen=True)
class Service:
    """A running server and a client of it."""

    client: httpx.Client
    settings: Settings
    address: str

    @property
    def uploads(self) -> list[Path]:
        """Every file and folder in the uploads folder."""
        return sorted(self.settings.uploads_folder.rglob("*"))

    def upload(self, path: Path, name: str | None = None) -> httpx.Response:
        """Upload a file."""
        with path.open("rb") as stream:
            return self.client.post("/api/images/upload", files={"file": (name or path.name, stream)})

    def total(self) -> int:
        """Return how many images are in the library."""
        total: int = self.client.get("/api/images/").json()["total"]
        return total


@contextmanager
def running(
    home: Path, *, build_in_background: bool = False, permit: Permit = anything, **changes: object
) -> Iterator[Service]:
    """Run a server with a home of its own."""
    settings = Settings.load(home=home, **changes)
    app = create_app(settings, build_in_background=build_in_background, permit=permit)
    with serving(app) as address, httpx.Client(base_url=address, timeout=30) as client:
        yield Service(client, settings, address)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A server with an empty library that builds thumbnails only when asked for."""
    with running(tmp_path / "home") as service:
        yield service


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server with one image, shared by the tests of a module, which do not change it."""
    folder = tmp_path_factory.mktemp("library")
    with running(folder / "home") as service:
        answer = service.upload(write_stack(folder / "cells.ome.tif"))
        assert answer.status_code == 201, answer.text
        yield service


@pytest.fixture
def image_id(library: Service) -> str:
    """The id of the one image of the shared library."""
    found: str = library.client.get("/api/images/").json()["images"][0]["id"]
    return found


@pytest.fixture
def stack_file(tmp_path: Path) -> Path:
    """A two-channel z-stack as OME-TIFF."""
    return write_stack(tmp_path / "cells.ome.tif")
