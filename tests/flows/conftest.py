"""Fixtures of the flows: a home, and places for worlds in which builds interleave, on both databases."""

import random
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import make_url

from coverslip.catalog import Catalog
from coverslip.derive import builder, held
from tests.catalog.making import Clock
from tests.flows.cheap import ALWAYS_OF_ANNOTATIONS, ALWAYS_OF_IMAGES
from tests.flows.interleaving import Place
from tests.flows.stepping import Heartbeat, Time
from tests.services.postgres import postgres


@pytest.fixture(scope="module")
def database_server() -> Iterator[str]:
    with postgres() as address:
        yield address


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'catalog.sqlite'}"
    else:
        server: str = request.getfixturevalue("database_server")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{tmp_path.name}"')
        url = make_url(server).set(database=tmp_path.name).render_as_string(hide_password=False)
    clock, ids = Clock(), random.Random(1)
    monkeypatch.setattr("coverslip.catalog.part.uuid4", lambda: UUID(int=ids.getrandbits(128), version=4))
    monkeypatch.setattr(held, "Heartbeat", Heartbeat)
    for module in (builder, held):
        monkeypatch.setattr(module, "time", Time(clock))
    monkeypatch.setattr("os.fsync", lambda _: None)  # a test need not survive a power cut
    with Catalog.open(
        url, versions=ALWAYS_OF_IMAGES, annotation_versions=ALWAYS_OF_ANNOTATIONS, clock=clock
    ) as catalog:
        yield Place(catalog, clock, tmp_path / "world", ids)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home for catalog, uploads and artifacts that is not there yet."""
    return tmp_path / "home"
