"""Catalogs of earlier versions, with rows in them, brought up to date."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import insert, inspect, text

from coverslip.catalog import Catalog
from coverslip.catalog.address import parse_address
from coverslip.catalog.audit import BEGINNING, digest
from coverslip.catalog.database import Database
from coverslip.catalog.documents import to_documents
from coverslip.catalog.marks import new_artifacts
from coverslip.catalog.opening import MIGRATIONS
from coverslip.catalog.part import new_id
from coverslip.catalog.removal_tables import Audit
from coverslip.catalog.tables import Artifact, Asset, Image
from coverslip.model.search import ImageFilter
from tests.catalog.making import VERSIONS, add, item, metadata

THEN = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = 450
"""More than two portions of the migration."""


@pytest.fixture
def first(place: str) -> Iterator[Database]:
    """Return a database with the tables of revision 0001 and nothing in them."""
    database = Database(parse_address(place))
    if database.address.path is not None:
        database.address.path.parent.mkdir(parents=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        assert not inspect(connection).has_table("facts")
    yield database
    database.close()


def _image(number: int, asset_id: str) -> dict[str, Any]:
    document, vendor = to_documents(
        metadata(
            f"image {number:03}",
            size_z=number + 1,
            channels=[{"index": 0, "name": "DAPI" if number % 2 else "GFP"}],
            pixel_size_x={"value": 0.5},
            acquired_at=THEN,
            vendor={"text": f"serial SN{number:03} a\x00b"},
        )
    )
    name = f"image {number:03}"
    return {
        "id": new_id(),
        "asset_id": asset_id,
        "index": number,
        "place": -number,
        "name": name,
        "search": f"{name}\nold.lif",
        "document": document,
        "vendor": vendor,
        "revision": 1,
        "created_at": THEN,
        "updated_at": THEN,
    }


def _fill(database: Database) -> list[dict[str, Any]]:
    asset: dict[str, Any] = {"id": new_id(), "path": "/data/old\udcff.lif", "origin": "added", "is_folder": False}
    asset |= {"size": 1, "mtime_ns": 1, "state": "ok", "read_by": "x"}
    rows = [_image(number, asset["id"]) for number in range(COUNT)]
    rows[7]["deleted_at"] = THEN
    with database.writing() as connection:
        connection.execute(insert(Asset), [asset])
        for row in rows:
            connection.execute(insert(Image), [row])
        came_later = {"annotation_id", "cause", "entity_id"}
        for row in new_artifacts([row["id"] for row in rows], VERSIONS, THEN):
            connection.execute(insert(Artifact), {name: row[name] for name in row.keys() - came_later})
    return rows


def test_images_that_are_there_are_found_by_what_is_new(first: Database, place: str) -> None:
    rows = _fill(first)
    with Catalog.open(place, versions=VERSIONS) as catalog:
        assert [image.id for image in catalog.list_images(limit=500).images] == [
            row["id"] for row in rows if row["index"] != 7
        ]
        (found,) = catalog.list_images(q="sn449").images
        assert found.id == rows[449]["id"]
        assert catalog.list_images(q="sn007").total == 0
        assert catalog.list_images(having=ImageFilter(channel="dapi")).total == COUNT // 2 - 1
        assert catalog.list_images(having=ImageFilter(min_pixel_size=0.5, acquired_after=THEN)).total == COUNT - 1
        assert catalog.list_images(sort="-size", limit=1).images[0].id == rows[-1]["id"]
        catalog.restore_image(rows[7]["id"])
        assert catalog.list_images(q="sn007").total == 1
        add(catalog, item("/data/old\udcff.lif", "again"))
        assert catalog.list_images(q="sn000").total == 0
        assert catalog.list_images(q="again").total == 1


def test_nothing_that_was_there_is_lost(first: Database, place: str) -> None:
    _fill(first)
    counting = text(
        "SELECT (SELECT count(*) FROM asset), (SELECT count(*) FROM image), (SELECT count(*) FROM artifact)"
    )
    Catalog.open(place, versions=VERSIONS).close()
    with first.reading() as connection:
        assert tuple(connection.execute(counting).one()) == (1, COUNT, COUNT)
        assert connection.execute(text("SELECT count(*) FROM facts")).scalar_one() == COUNT


def test_a_catalog_without_images_too(first: Database, place: str) -> None:
    with Catalog.open(place, versions=VERSIONS) as catalog:
        assert catalog.list_images(sort="name").total == 0


def test_the_newest_line_of_a_log_that_is_there_is_noted(first: Database, place: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    names = ("actor", "action", "plan_id", "command", "scope", "reason", "record", "hash")
    with first.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0009")
        before = BEGINNING
        for seq in (1, 2, 3):
            words = ["ada", "remove", "", "", "", "absent"]
            before = digest(before, seq, THEN, words, "{}")
            line = {"seq": seq, "at": THEN, **dict(zip(names, [*words, "{}", before], strict=True))}
            connection.execute(insert(Audit), [line])
    with Catalog.open(place, versions=VERSIONS) as catalog:
        assert catalog.verify_audit() == (3, ())
        with catalog._database.writing() as connection:
            assert tuple(connection.execute(text("SELECT seq, hash FROM audit_head")).one()) == (3, before)
            connection.execute(text("DELETE FROM audit WHERE seq = 3"))
        assert [problem.kind for problem in catalog.verify_audit()[1]] == ["missing"]
