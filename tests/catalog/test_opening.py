import fcntl
import os
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import IntegrityError

from coverslip.catalog import Catalog
from coverslip.catalog.address import parse_address
from coverslip.catalog.tables import FULL_TEXT, Base
from coverslip.errors import CatalogError, NotFoundError
from tests.catalog.making import READ_BY, VERSIONS, add_one, item
from tests.catalog.processes import outputs
from tests.services.postgres import PASSWORD


@pytest.fixture
def engine(place: str) -> Any:
    """Return an engine of its own on a new catalog."""
    Catalog.open(place, versions=VERSIONS).close()
    opened = create_engine(parse_address(place).url)
    yield opened
    opened.dispose()


def refusal(url: str) -> str:
    """Return why an address is refused: always one line."""
    with pytest.raises(CatalogError) as caught:
        Catalog.open(url, versions=VERSIONS)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_new_catalog_is_there_when_it_is_opened_again(place: str) -> None:
    with Catalog.open(place, versions=VERSIONS) as catalog:
        image_id = add_one(catalog)
        catalog.check()
    with Catalog.open(place, versions=VERSIONS) as catalog:
        assert catalog.get_image(image_id).id == image_id
        catalog.check()


def test_a_catalog_that_has_to_be_there_is_not_made(place: str) -> None:
    for _ in range(2):
        with pytest.raises(NotFoundError, match="there is no catalog at"):
            Catalog.open(place, versions=VERSIONS, must_exist=True)
    Catalog.open(place, versions=VERSIONS).close()
    Catalog.open(place, versions=VERSIONS, must_exist=True).close()


def test_migrations_give_exactly_the_models(engine: Engine) -> None:
    with engine.connect() as connection:
        opts = {"compare_type": True, "compare_server_default": True, "include_object": _is_in_models}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, Base.metadata) == []


def _is_in_models(_thing: object, name: str | None, *_: object) -> bool:
    """Return whether Alembic has words for it; SQLite shows the parts of a full-text index as tables."""
    return name is None or not name.startswith(FULL_TEXT)


def test_the_full_text_index_is_there(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        wanted = "SELECT sql FROM sqlite_master WHERE name = 'facts_text'"
    else:
        wanted = "SELECT indexdef FROM pg_indexes WHERE indexname = 'facts_text'"
    with engine.connect() as connection:
        assert re.search("USING (fts5|gin) ?[(]text", str(connection.execute(text(wanted)).scalar_one()))


def test_migrations_give_exactly_the_constraints_of_the_models(engine: Engine, tmp_path: Path) -> None:
    """Alembic compares no CHECK constraints and no conditions of indexes; SQLite keeps their words."""
    if engine.dialect.name != "sqlite":
        names = {
            str(check["name"])
            for table in Base.metadata.tables
            for check in inspect(engine).get_check_constraints(table)
        }
        assert names == {
            str(check.name)
            for table in Base.metadata.tables.values()
            for check in table.constraints
            if str(check.name).startswith("ck_")
        }
        return
    other = create_engine(f"sqlite:///{tmp_path / 'models.sqlite'}")
    Base.metadata.create_all(other)
    assert _statements(engine) - _statements(other) == {"CREATE TABLE alembic_version"} | {
        line for line in _statements(engine) if "version_num" in line
    }
    assert _statements(other) <= _statements(engine)
    other.dispose()


def _statements(engine: Engine) -> set[str]:
    """Return every line of the definitions, each with its table."""
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL")).all()
    # a column that was added later has no line of its own, a table that was renamed has quotes
    made = [(table, sql.replace(f'TABLE "{table}"', f"TABLE {table}")) for table, sql in rows]
    apart = [(table, re.sub(r", (?=\w+ [A-Z]+(?:, |[ ,]*$))", ",\n", sql, flags=re.MULTILINE)) for table, sql in made]
    return {
        line.strip(" \t,(") if line.startswith("CREATE") else f"{table}: {line.strip(' \t,)')}"
        for table, sql in apart
        for line in sql.splitlines()
        if line.strip(" \t,()")
    }


def test_every_foreign_key_has_an_index(engine: Engine) -> None:
    found = inspect(engine)
    for table in Base.metadata.tables:
        leading = {index["column_names"][0] for index in found.get_indexes(table)}
        leading |= {unique["column_names"][0] for unique in found.get_unique_constraints(table)}
        leading.add(found.get_pk_constraint(table)["constrained_columns"][0])
        for key in found.get_foreign_keys(table):
            assert key["constrained_columns"][0] in leading, f"{table}.{key['constrained_columns']}"


@pytest.mark.parametrize(
    "wrong",
    [
        "UPDATE asset SET state = 'fine'",
        "UPDATE asset SET origin = 'found'",
        "UPDATE asset SET size = -1",
        "UPDATE asset SET path = '/one.tif'",
        'UPDATE image SET "index" = -1',
        'UPDATE image SET "index" = 0, asset_id = (SELECT max(id) FROM asset)',
        "UPDATE image SET revision = 0",
        "UPDATE image SET purged_at = created_at",
        "UPDATE image SET asset_id = 'nobody'",
        "UPDATE artifact SET built = 2",
        "UPDATE artifact SET built = -1",
        "UPDATE artifact SET built = 1",
        "UPDATE artifact SET token = 'x'",
        "UPDATE artifact SET lease_until = marked_at",
        "UPDATE artifact SET attempts = -1",
        "UPDATE artifact SET image_id = (SELECT max(id) FROM image)",
        "UPDATE artifact SET image_id = 'nobody'",
        "UPDATE event SET seq = 1",
    ],
)
def test_the_database_itself_refuses_nonsense(engine: Engine, place: str, wrong: str) -> None:
    with Catalog.open(place, versions=VERSIONS) as catalog:
        catalog.sync_files([item("/one.tif"), item("/two.tif")], READ_BY)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("PRAGMA foreign_keys=ON"))
        with pytest.raises(IntegrityError):
            connection.execute(text(wrong))


def test_removing_an_asset_removes_what_hangs_on_it(engine: Engine, place: str) -> None:
    with Catalog.open(place, versions=VERSIONS) as catalog:
        add_one(catalog)
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.execute(text("PRAGMA foreign_keys=ON"))
        connection.execute(text("DELETE FROM asset"))
        left = connection.execute(text("SELECT (SELECT count(*) FROM image), (SELECT count(*) FROM artifact)")).one()
    assert tuple(left) == (0, 0)


def test_a_catalog_of_a_newer_version_is_refused(engine: Engine, place: str) -> None:
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert "newer version of Coverslip (its tables are at revision 9999, this version knows up to" in refusal(place)


def test_two_processes_may_create_the_same_catalog_at_once(place: str) -> None:
    script = "with Catalog.open(sys.argv[1], versions=dict(thumbnail=1)) as catalog: print(catalog.list_images().total)"
    assert outputs(script, [place], [place]) == ["0\n", "0\n"]


def test_who_comes_second_waits_until_the_first_has_made_the_catalog(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with ThreadPoolExecutor(1) as pool, (tmp_path / "catalog.sqlite.lock").open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        opening = pool.submit(lambda: Catalog.open(str(path), versions=VERSIONS).close())
        time.sleep(0.2)
        assert not opening.done()
        assert not path.exists()
        fcntl.flock(held, fcntl.LOCK_UN)
        opening.result(timeout=30)
    assert path.exists()


_PRAGMAS = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 30_000}


def test_sqlite_is_set_up_to_lose_nothing(tmp_path: Path) -> None:
    with (
        Catalog.open(f"sqlite:///{tmp_path}/c.sqlite", versions=VERSIONS) as catalog,
        catalog._database.writing() as connection,
    ):
        asked = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in _PRAGMAS}
    assert asked == _PRAGMAS


def test_a_path_that_is_not_a_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n" * 100)
    assert refusal(f"sqlite:///{path}") == (
        f"the catalog sqlite:///{path} is not a SQLite database: choose another path or move that file away"
    )
    assert path.read_text() == "dear diary\n" * 100


def test_a_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "places.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (id)")
    before = path.read_bytes()
    assert "is a SQLite database of another program" in refusal(str(path))
    assert path.read_bytes() == before


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "cannot be opened" in refusal(f"sqlite:///{tmp_path}")


def test_a_path_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "Not a directory" in refusal(f"sqlite:///{tmp_path}/file/deeper/catalog.sqlite")


def test_an_empty_file_and_an_odd_path_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "100% wäre?schön#1" / "c a%20t.sqlite"
    path.parent.mkdir()
    path.touch()
    with Catalog.open(f"sqlite:///{path}", versions=VERSIONS) as catalog:
        add_one(catalog)
        assert catalog.url == f"sqlite:///{path}"
    assert path.stat().st_size > 0


READ_ONLY = """
import os, pathlib
folder = pathlib.Path(sys.argv[1])
catalog = Catalog.open(f"sqlite:///{folder}/there/catalog.sqlite", versions=dict(thumbnail=1))
catalog.close()
for name in ("there/catalog.sqlite", "there", ""):
    (folder / name).chmod(0o555)
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
new = f"sqlite:///{folder}/new/catalog.sqlite"
for action in (catalog.check, lambda: Catalog.open(new, versions={})):
    try:
        action()
    except Exception as error:
        print(type(error).__name__, error)
catalog.close()
for name in ("", "there"):
    if os.geteuid() == (folder / name).stat().st_uid:
        (folder / name).chmod(0o755)
"""


def test_a_read_only_folder_is_refused(tmp_path_factory: pytest.TempPathFactory, open_folder: Path) -> None:
    (printed,) = outputs(READ_ONLY, [str(open_folder)])
    existing, new = printed.splitlines()
    assert existing.startswith("CatalogError")
    assert "writable for this user" in existing
    assert new.startswith("CatalogError")
    assert "Permission denied" in new


@pytest.fixture
def open_folder() -> Any:
    """Return a folder that every user can reach; pytest's own are closed to others."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="coverslip-open-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_catalog_that_was_removed_while_open_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with Catalog.open(f"sqlite:///{path}", versions=VERSIONS) as catalog:
        path.unlink()
        with pytest.raises(CatalogError, match="was removed"):
            catalog.check()


def test_a_damaged_catalog_says_so(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    with Catalog.open(f"sqlite:///{path}", versions=VERSIONS) as catalog:
        add_one(catalog)
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x55" * (len(content) - 4096)
    path.write_bytes(content)
    assert "is damaged" in refusal(f"sqlite:///{path}")


@pytest.mark.service
def test_a_wrong_password_is_refused_and_not_shown(server: str) -> None:
    sentence = refusal(server.replace(PASSWORD, "hunter2"))
    assert "password authentication failed" in sentence
    assert "hunter2" not in sentence


@pytest.mark.service
def test_a_password_is_not_shown(new_database: Callable[[], str]) -> None:
    with Catalog.open(new_database(), versions=VERSIONS) as catalog:
        assert PASSWORD not in catalog.url
        assert catalog.url.startswith("postgresql://postgres:***@127.0.0.1:")


def test_a_server_that_is_not_there_is_refused() -> None:
    with socket.socket() as nobody_listens:
        nobody_listens.bind(("127.0.0.1", 0))
        port = nobody_listens.getsockname()[1]
        sentence = refusal(f"postgresql://me:hunter2@127.0.0.1:{port}/lab")
    assert "refused" in sentence
    assert "hunter2" not in sentence


@pytest.mark.service
def test_a_user_who_may_not_write_is_refused(new_database: Callable[[], str]) -> None:
    address = new_database()
    Catalog.open(address, versions=VERSIONS).close()
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN PASSWORD 'hunter2'")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    try:
        with Catalog.open(address.replace(f"postgres:{PASSWORD}", "reader:hunter2"), versions=VERSIONS) as catalog:
            assert catalog.list_images().total == 0
            with pytest.raises(CatalogError, match="permission denied"):
                catalog.check()
    finally:
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("DROP OWNED BY reader")
            connection.execute("DROP ROLE reader")


def test_closing_leaves_nothing_open(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path}/c.sqlite", versions=VERSIONS) as catalog:
        add_one(catalog)
        assert _open_below(tmp_path)
    catalog.close()
    assert _open_below(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(("-wal", "-shm"))] == []


def test_a_refused_catalog_leaves_nothing_open(tmp_path: Path) -> None:
    with Catalog.open(f"sqlite:///{tmp_path}/c.sqlite", versions=VERSIONS):
        pass
    with closing(sqlite3.connect(tmp_path / "c.sqlite")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'x'")
        connection.commit()
    refusal(f"sqlite:///{tmp_path}/c.sqlite")
    assert _open_below(tmp_path) == []


def _open_below(folder: Path) -> list[str]:
    return [file.path for file in psutil.Process().open_files() if file.path.startswith(str(folder))]


def test_no_warning_when_a_process_ends(tmp_path: Path) -> None:
    opening = "with Catalog.open(sys.argv[1], versions={}) as catalog: catalog.list_images()"
    script = f"from coverslip.catalog import Catalog\nimport sys\n{opening}"
    order = [sys.executable, "-X", "dev", "-W", "error", "-c", script, f"sqlite:///{tmp_path}/c.sqlite"]
    done = subprocess.run(order, check=False, capture_output=True, text=True, env=os.environ | {"PYTHONWARNINGS": ""})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("sqlite:////data/c.sqlite", "sqlite:////data/c.sqlite"),
        ("/data/c.sqlite", "sqlite:////data/c.sqlite"),
        ("sqlite+pysqlite:////data/a?b#c%20.sqlite", "sqlite:////data/a?b#c%20.sqlite"),
        ("postgres://me:s3cret@db.lab:5433/lab", "postgresql://me:***@db.lab:5433/lab"),
        ("postgresql://me@db/lab?sslmode=require", "postgresql://me@db/lab?sslmode=require"),
        ("postgresql+psycopg://db/lab?password=s3cret", "postgresql://db/lab?password=%2A%2A%2A"),
    ],
)
def test_addresses(written: str, shown: str) -> None:
    address = parse_address(written)
    assert address.shown == shown
    assert address.url.drivername in {"sqlite", "postgresql+psycopg"}


def test_relative_and_home_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/somewhere")
    assert parse_address("sqlite:///sub/c.sqlite").path == tmp_path / "sub" / "c.sqlite"
    assert parse_address("~/c.sqlite").path == Path("/somewhere/c.sqlite")


@pytest.mark.parametrize(
    "wrong",
    [
        "mysql://me:s3cret@db/lab",
        "sqlite://c.sqlite",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        ":memory:",
        "postgresql://me:s3cret@db:port/lab",
    ],
)
def test_addresses_that_cannot_be_meant(wrong: str) -> None:
    with pytest.raises(CatalogError, match="expected sqlite:///folder/catalog") as caught:
        parse_address(wrong)
    assert "s3cret" not in str(caught.value)
