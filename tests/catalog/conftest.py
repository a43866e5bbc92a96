"""A fresh catalog for every test, on both databases."""

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from coverslip.catalog import Catalog
from coverslip.catalog.tables import Base
from tests.catalog.making import VERSIONS, Clock
from tests.services.postgres import postgres

BOTH = ["sqlite", pytest.param("postgresql", marks=pytest.mark.service)]

NewPlace = Callable[[], str]
"""Makes a place for a catalog and returns its address."""


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """Return the address of a PostgreSQL server."""
    with postgres() as address:
        yield address


@pytest.fixture
def new_database(server: str) -> Iterator[NewPlace]:
    """Return what makes empty databases.

    They are dropped without force at the end: that fails when a test leaves a connection open.
    """
    made: list[str] = []

    def make() -> str:
        made.append(f"test_{uuid4().hex}")
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{made[-1]}"')
        return _address(server, made[-1])

    yield make
    with psycopg.connect(server, autocommit=True) as connection:
        for name in made:
            connection.execute(f'DROP DATABASE "{name}"')


@pytest.fixture(params=BOTH)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the address of a place where there is no catalog yet, on one database after the other."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new folder' / 'catalog.sqlite'}"
    make: NewPlace = request.getfixturevalue("new_database")
    return make()


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty catalog to copy: quicker than the migrations."""
    path = tmp_path_factory.mktemp("empty") / "catalog.sqlite"
    Catalog.open(f"sqlite:///{path}", versions=VERSIONS).close()
    return path


@pytest.fixture(scope="session")
def emptied_postgresql(server: str) -> str:
    """Return the address of a catalog that tests use one after the other: quicker than new databases."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE emptied")
    address = _address(server, "emptied")
    Catalog.open(address, versions=VERSIONS).close()
    return address


@pytest.fixture(params=BOTH)
def new_catalog(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewPlace]:
    """Return what makes empty catalogs, on one database after the other. On PostgreSQL, a new one ends the last."""
    if request.param == "sqlite":
        source: Path = request.getfixturevalue("empty_sqlite")
        yield lambda: f"sqlite:///{shutil.copy(source, tmp_path / f'{uuid4().hex}.sqlite')}"
        return
    address: str = request.getfixturevalue("emptied_postgresql")
    tables = ", ".join(f'"{table}"' for table in Base.metadata.tables)

    def make() -> str:
        with psycopg.connect(address) as connection:
            connection.execute(f"TRUNCATE {tables}")
        return address

    yield make
    assert not _stays_connected(address), "the test left a connection open"


def _stays_connected(address: str) -> bool:
    """Return whether somebody is still connected; a closed connection takes the server a moment to notice."""
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    deadline = time.monotonic() + 5
    with psycopg.connect(address, autocommit=True) as connection:
        while connection.execute(others).fetchone() != (0,):
            if time.monotonic() > deadline:
                return True
            time.sleep(0.01)
    return False


def _address(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


@pytest.fixture
def clock() -> Clock:
    """Return a clock that the test moves."""
    return Clock()


@pytest.fixture
def url(new_catalog: NewPlace) -> str:
    """Return the address of an empty catalog."""
    return new_catalog()


@pytest.fixture
def catalog(url: str, clock: Clock) -> Iterator[Catalog]:
    """Return an empty catalog that goes by the test's clock."""
    with Catalog.open(url, versions=VERSIONS, clock=clock) as opened:
        yield opened
