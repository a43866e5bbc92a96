"""A running server whose images a page of another site may read, with one file of each format in it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.api.conftest import Service, running
from tests.conftest import SAMPLES
from tests.ngff.images import Array
from tests.viewers.references import REFERENCES
from tests.viewers.specimens import REAL, WRITERS

GENERATED = [pytest.param(name, id=name) for name in WRITERS]
SAMPLED = [pytest.param(name, id=Path(name).name, marks=pytest.mark.samples) for name in REAL]
EVERY = [*GENERATED, *SAMPLED]
"""The files a viewer is tested with: generated ones everywhere, real ones where there are any."""
FORMATS = [("zarr", 3), ("zarr04", 2)]


@dataclass(frozen=True)
class Shown:
    """An image in the library, and what the library of its format reads of it."""

    id: str
    pixels: Array
    """T, C, Z, Y, X."""


@dataclass
class Library:
    """A server, and the files that were uploaded to it."""

    service: Service
    folder: Path
    known: dict[str, Shown]

    def show(self, name: str) -> Shown:
        """Return the first image of a file, uploaded when it is asked for the first time."""
        if name not in self.known:
            self.known[name] = self._upload(WRITERS[name](self.folder) if name in WRITERS else _sample(name))
        return self.known[name]

    def address(self, name: str, word: str = "zarr") -> str:
        """Return the address of a file's first image as OME-Zarr."""
        return f"{self.service.address}/api/images/{self.show(name).id}/{word}"

    def _upload(self, path: Path) -> Shown:
        answer = self.service.upload(path)
        assert answer.status_code == 201, answer.text
        return Shown(answer.json()["id"], REFERENCES[path.suffix](path)[0])


def _sample(name: str) -> Path:
    if not SAMPLES.is_dir():
        pytest.skip("no folder of real sample files (set COVERSLIP_SAMPLES)")
    return SAMPLES / name


def open_library(folder: Path, zarr_origins: str = "") -> Iterator[Library]:
    """Give a server with an empty library for as long as the iterator lasts."""
    with running(folder / "home", zarr_origins=zarr_origins) as service:
        yield Library(service, folder, {})


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """A server for the tests of a module."""
    yield from open_library(tmp_path_factory.mktemp("shown"))
