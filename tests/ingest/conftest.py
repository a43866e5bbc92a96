"""Catalogs and folders for the tests of ingest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from coverslip import derive
from coverslip.catalog import Catalog


def open_catalog(home: Path) -> Catalog:
    """Return a new catalog."""
    return derive.open_catalog(f"sqlite:///{home / 'catalog.sqlite'}")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with open_catalog(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "images"
    path.mkdir()
    return path
