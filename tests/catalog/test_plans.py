"""That lists and searches go by the indexes made for them, as the databases themselves tell."""

import re
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from coverslip.catalog import Catalog
from coverslip.model.records import SyncItem
from coverslip.model.search import Cursor, ImageFilter
from tests.catalog.making import add, metadata, seen

SOME = "0f8fad5b-d9cb-469f-a165-70867728950e"


def _image(name: str) -> SyncItem:
    vendor = {"note": " ".join(f"{name}w{number}" for number in range(20))}
    return SyncItem(seen(f"/{name}.tif"), "ok", None, (metadata(name, vendor=vendor),))


@pytest.fixture
def full(catalog: Catalog) -> Catalog:
    """Return a catalog with enough images for a database to have a choice."""
    for batch in range(5):
        add(catalog, *(_image(f"n{batch}-{number}") for number in range(200)))
    with catalog._database.writing() as connection:
        connection.execute(text("ANALYZE"))
    return catalog


def plans(catalog: Catalog, *, always_by_index: bool = False, **asked: Any) -> list[str]:
    """Return how the database answers each statement of a list: first the total, then the page."""
    seen: list[tuple[str, Any]] = []

    def note(_: Connection, __: object, statement: str, values: Any, *___: object) -> None:
        seen.append((statement, values))

    engine = catalog._database._reader
    event.listen(engine, "before_cursor_execute", note)
    try:
        catalog.list_images(limit=10, **asked)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    words = "EXPLAIN QUERY PLAN" if catalog._database.is_sqlite else "EXPLAIN"
    asking = [(statement, values) for statement, values in seen if statement.startswith("SELECT")]
    assert len(asking) == 2
    with catalog._database.reading() as connection:
        if always_by_index and not catalog._database.is_sqlite:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
        return [
            "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{words} {statement}", values))
            for statement, values in asking
        ]


def test_words_are_looked_up_and_not_read_through(full: Catalog) -> None:
    """PostgreSQL reads through as few rows as these while it may; that it can do otherwise is what is shown."""
    for plan in plans(full, q="nothing", always_by_index=True):
        if full._database.is_sqlite:
            assert "facts_text VIRTUAL TABLE INDEX 0:M" in plan
        else:
            assert "Bitmap Index Scan on facts_text" in plan


@pytest.mark.parametrize(
    ("index", "asked"),
    [
        ("ix_image_shown", {}),
        ("ix_image_shown", {"sort": "added"}),
        ("ix_facts_name", {"sort": "name"}),
        ("ix_facts_name", {"sort": "-name", "after": Cursor("-name", ("n3-100", SOME))}),
        ("ix_facts_pixels", {"sort": "size"}),
        ("ix_facts_pixels", {"sort": "-size", "after": Cursor("-size", (5, SOME))}),
        ("ix_facts_pixel_size", {"having": ImageFilter(min_pixel_size=3.0), "sort": "pixel_size"}),
    ],
)
def test_pages_walk_along_an_index(full: Catalog, index: str, asked: dict[str, Any]) -> None:
    assert re.search(rf"\b{index}\b", plans(full, **asked)[1])


def test_a_cursor_is_looked_up_in_the_index(full: Catalog) -> None:
    plan = plans(full, sort="name", after=Cursor("name", ("n3-100", SOME)))[1]
    if full._database.is_sqlite:
        assert "ix_facts_name ((name,image_id)>(?,?))" in plan
    else:
        assert re.search(r"Index Cond: \(ROW\([a-z_.]*name, [a-z_.]*image_id\) >", plan), plan
