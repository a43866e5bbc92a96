"""Looking images up in microseconds, and never finding what was."""

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from coverslip.catalog import Catalog
from coverslip.catalog.places import Places
from tests.catalog.making import READ_BY, VERSIONS, item


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite'}", versions=VERSIONS) as catalog:
        yield catalog


@pytest.fixture
def places(catalog: Catalog) -> Iterator[Places]:
    found = catalog.places()
    assert found is not None
    with closing(found):
        yield found


def test_it_finds_what_the_catalog_finds(catalog: Catalog, places: Places) -> None:
    catalog.sync_files([item("/data/a.tif", "one", "two"), item("/data/b.tif")], READ_BY)
    assert places.refresh() is not None
    listed = catalog.list_images().images
    assert len(listed) == 3
    for image in listed:
        assert places.get(image.id) == catalog.place_of(image.id) == places.get(image.id)
    for wrong in ("", "x", listed[0].id.upper(), "0" * 36, listed[0].id[:-1] + "'"):
        assert places.get(wrong) is None


def test_the_number_changes_with_every_commit_and_with_nothing_else(catalog: Catalog, places: Places) -> None:
    catalog.sync_files([item("/data/a.tif")], READ_BY)
    (image,) = catalog.list_images().images
    numbers = [places.refresh() for _ in range(3)]
    catalog.place_of(image.id)
    assert [places.refresh(), *numbers] == [numbers[0]] * 4
    for change in (catalog.delete_image, catalog.restore_image) * 3:
        before = places.refresh()
        change(image.id)
        assert places.refresh() != before
        assert (places.get(image.id) is None) is (change == catalog.delete_image)


def test_a_commit_of_another_process_is_seen(catalog: Catalog, places: Places, tmp_path: Path) -> None:
    catalog.sync_files([item("/data/a.tif")], READ_BY)
    (image,) = catalog.list_images().images
    places.refresh()
    before = places.get(image.id)
    assert before is not None
    change = f"""
import sqlite3
with sqlite3.connect({str(tmp_path / "catalog.sqlite")!r}, timeout=30) as database:
    database.execute("UPDATE image SET revision = revision + 1")
database.close()
"""
    subprocess.run([sys.executable, "-c", change], check=True)
    places.refresh()
    after = places.get(image.id)
    assert after is not None
    assert after.revision == before.revision + 1


def test_nobody_waits_for_a_writer(catalog: Catalog, places: Places, tmp_path: Path) -> None:
    catalog.sync_files([item("/data/a.tif")], READ_BY)
    (image,) = catalog.list_images().images
    with closing(sqlite3.connect(tmp_path / "catalog.sqlite", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM image")
        assert places.refresh() is not None
        assert places.get(image.id) == catalog.place_of(image.id)
        writer.execute("ROLLBACK")


def test_what_cannot_be_read_is_not_known(catalog: Catalog, places: Places) -> None:
    catalog.sync_files([item("/data/a.tif")], READ_BY)
    (image,) = catalog.list_images().images
    places.refresh()
    assert places.get(image.id) is not None
    places.close()
    assert places.refresh() is None
    assert places.get(image.id) is None
