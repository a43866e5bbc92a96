"""That a claim looks at the first few stale artifacts, however many there are, with and without statistics."""

from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from coverslip.catalog import Catalog
from tests.catalog.making import LEASE, add, build, item


def claim_plans(catalog: Catalog, versions: dict[str, int]) -> list[str]:
    """Return how the database finds what can be claimed, query by query."""
    seen: list[tuple[str, Any]] = []

    def note(_: Connection, __: object, statement: str, values: Any, *___: object) -> None:
        if statement.startswith("SELECT artifact.id") and "wanted" in statement:
            seen.append((statement, values))

    engine = catalog._database._reader
    event.listen(engine, "before_cursor_execute", note)
    try:
        for claim in catalog.claim(versions, lease_seconds=LEASE):
            catalog.release(claim)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    words = "EXPLAIN QUERY PLAN" if catalog._database.is_sqlite else "EXPLAIN"
    with catalog._database.reading() as connection:
        if not catalog._database.is_sqlite:
            connection.execute(text("SET LOCAL enable_sort = off"))
        return [
            "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{words} {statement}", values))
            for statement, values in seen
        ]


@pytest.mark.parametrize("analyzed", [False, True])
def test_the_longest_stale_are_found_along_their_index(catalog: Catalog, analyzed: bool) -> None:
    add(catalog, *(item(f"/{number}.tif", "a") for number in range(500)))
    if analyzed:
        with catalog._database.writing() as connection:
            connection.execute(text("ANALYZE"))
    for plan in claim_plans(catalog, {"thumbnail": 1}):
        assert "ix_artifact_stale" in plan
        assert "TEMP B-TREE" not in plan
        assert "Sort " not in plan


def test_old_recipes_are_found_along_theirs(catalog: Catalog) -> None:
    add(catalog, *(item(f"/{number}.tif", "a") for number in range(20)))
    for image in catalog.list_images().images:
        build(catalog, image.id)
    plan = claim_plans(catalog, {"thumbnail": 2})[-1]
    assert "ix_artifact_recipe" in plan or not catalog._database.is_sqlite
