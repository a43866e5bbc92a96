"""Backups in lines of JSON: from either database into either database."""

import gzip
import json
import shutil
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text

from coverslip.catalog import Catalog
from coverslip.catalog.backing_up import restore_backup
from coverslip.catalog.tables import Base, Facts
from coverslip.errors import CatalogError, ConflictError
from coverslip.model.annotations import AnnotationContent, Frames
from tests.catalog.making import VERSIONS, Clock, add, item, metadata
from tests.catalog.test_entities import KINDS, LAYOUT, annotation, build_all, fill, number_of
from tests.catalog.test_removals import merging, planned, same_document_twice


@pytest.fixture
def catalog(url: str, clock: Clock) -> Iterator[Catalog]:
    with opened(url, clock) as found:
        yield found


def opened(url: str, clock: Clock) -> Catalog:
    return Catalog.open(url, versions=VERSIONS, entity_kinds=KINDS, clock=clock)


def content(catalog: Catalog) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table; of what images are searched by all but the numbers that databases give."""
    found: dict[str, list[tuple[object, ...]]] = {}
    with catalog._database.reading() as connection:
        for table in Base.metadata.sorted_tables:
            columns = [
                one for one in table.columns if (table.name, one.name) not in {("facts", "id"), ("facts", "text")}
            ]
            order = Facts.image_id if table.name == "facts" else next(iter(table.primary_key.columns))
            rows = connection.execute(select(*columns).order_by(order, *table.primary_key.columns))
            found[table.name] = [tuple(row) for row in rows]
    return found


def fill_with_everything(catalog: Catalog, clock: Clock) -> None:
    """Write rows of all sorts: odd names, duplicates that were merged, tombstones, a purge, views, exports."""
    same_document_twice(catalog)
    merging(catalog)
    clock.advance(1)
    catalog.apply_plan("merge", actor="ada")
    image_id = fill(catalog, annotation("gone", "Point"), annotation("last"))
    build_all(catalog)
    planned(catalog, annotation("last"), name="last")
    catalog.apply_plan("last", actor="ada")
    clock.advance(3600)
    catalog.purge_tombstones(clock.now, actor="ada")
    planned(catalog, annotation("gone"))
    catalog.apply_plan("plan", actor="ada")
    add(catalog, item("/data/b\udcff\u00e9.tif", "odd \u2603"), item("/data/many.tif", *"abcdefgh"))
    catalog.keep_view(image_id, name="mine", state={"layers": [{"name": "a"}], "n": 1.5})
    catalog.add_export("fov", "/out", {"sources": []}, [])
    catalog.create_annotation(image_id, AnnotationContent(frames=Frames(first=0, last=0), track="1"), tiled=False)


def test_a_catalog_comes_back_as_it_was_in_either_database(
    catalog: Catalog, clock: Clock, place: str, tmp_path: Path
) -> None:
    fill_with_everything(catalog, clock)
    before = content(catalog)
    empty = [name for name, rows in before.items() if not rows]
    assert set(empty) <= {"chore", "ingest_step", "export_item"}
    file = tmp_path / "backup.jsonl.gz"
    rows = catalog.backup(file, portable=True)
    assert rows == sum(len(some) for name, some in before.items() if name != "facts")
    assert not (tmp_path / "backup.jsonl.gz.part").exists()
    restore_backup(place, file)
    with opened(place, clock) as restored:
        assert content(restored) == before
        assert [one.metadata.name for one in restored.list_images(q="odd").images] == ["odd \u2603"]
        assert restored.list_images(q="many").total == 8
        assert restored.verify_audit() == catalog.verify_audit()
        highest = max(one.id for one in catalog.entities(deleted=True) + catalog.entities())
        for one in (catalog, restored):  # numbers that were given before are never given again
            one.sync_entities(LAYOUT, [annotation("new")])
        new = number_of(restored, annotation("new").identity)
        assert new == number_of(catalog, annotation("new").identity) > highest
        assert restored.undo_plan("plan", actor="ada").restored == catalog.undo_plan("plan", actor="ada").restored


def test_a_backup_is_of_one_moment(catalog: Catalog, clock: Clock, tmp_path: Path) -> None:
    fill(catalog)
    catalog.backup(tmp_path / "first.jsonl", portable=True)
    lines = (tmp_path / "first.jsonl").read_text().splitlines()
    head, end = json.loads(lines[0]), json.loads(lines[-1])
    assert (head["format"], head["revision"]) == ("coverslip-catalog-1", "0010")
    assert end["rows"] == sum(line.startswith("[") for line in lines)
    with pytest.raises(ConflictError, match="something is there already"):
        catalog.backup(tmp_path / "first.jsonl", portable=True)
    with pytest.raises(CatalogError, match="cannot be written"):
        catalog.backup(tmp_path / "nowhere" / "first.jsonl", portable=True)


@pytest.fixture
def dumped(tmp_path: Path, clock: Clock) -> Path:
    """Return the lines of a small catalog."""
    with opened(f"sqlite:///{tmp_path / 'source.sqlite'}", clock) as catalog:
        fill(catalog, annotation("a"))
        catalog.backup(tmp_path / "good.jsonl", portable=True)
    return tmp_path / "good.jsonl"


def lines_of(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


def _first_is_list(line: str) -> str:
    return json.dumps([["x"], *json.loads(line)[1:]]) + "\n"


DAMAGES: dict[str, tuple[Callable[[list[str]], list[str]], str]] = {
    "cut off": (lambda lines: lines[:-1], "ends before its end"),
    "cut within a line": (lambda lines: [*lines[:-1], lines[-1][:9]], "ends before its end"),
    "a row is gone": (lambda lines: [*lines[:-2], lines[-1]], "not as it was written"),
    "a row is gone that others refer to": (lambda lines: [*lines[:2], *lines[3:]], "rows of image cannot be"),
    "a time is none": (lambda lines: [line.replace("2024-05-17T", "yesterday") for line in lines], "is no time"),
    "a text is a list": (lambda lines: [*lines[:2], _first_is_list(lines[2]), *lines[3:]], "rows of asset cannot be"),
    "a value was changed": (lambda lines: [line.replace("TS_1.zarr", "TS_2.zarr") for line in lines], "not as it was"),
    "a row is short": (lambda lines: [*lines[:2], "[1]\n", *lines[2:]], "has 1 values for"),
    "another table": (lambda lines: [lines[0], '{"table": "users", "columns": []}\n', *lines[1:]], "'users' that"),
    "no JSON": (lambda lines: [*lines[:3], "{\n", *lines[3:]], "is no JSON"),
    "another file": (lambda _lines: ["hello\n"], "no backup of a catalog"),
    "nothing": (lambda _lines: [], "no backup of a catalog"),
    "a list": (lambda _lines: ["[]\n"], "no backup of a catalog"),
    "newer": (lambda lines: [lines[0].replace('"0010"', '"9999"'), *lines[1:]], "a newer version of Coverslip"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_backup_restores_nothing(dumped: Path, tmp_path: Path, clock: Clock, damage: str) -> None:
    change, said = DAMAGES[damage]
    bad = tmp_path / "bad.jsonl"
    bad.write_text("".join(change(lines_of(dumped))))
    target = f"sqlite:///{tmp_path / 'target.sqlite'}"
    with pytest.raises(CatalogError, match=said):
        restore_backup(target, bad)
    restore_backup(target, dumped)  # nothing is in its way
    with opened(target, clock) as catalog:
        assert catalog.count_entities()["annotation"] == 1


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("place", ["target.sqlite", "new/folder/target.sqlite"])
def test_a_damaged_backup_leaves_nothing_behind(dumped: Path, tmp_path: Path, damage: str, place: str) -> None:
    change, said = DAMAGES[damage]
    here = tmp_path / "here"
    here.mkdir()
    bad = tmp_path / "bad.jsonl"
    bad.write_text("".join(change(lines_of(dumped))))
    with pytest.raises(CatalogError, match=said):
        restore_backup(f"sqlite:///{here / place}", bad)
    assert list(here.rglob("*")) == []
    restore_backup(f"sqlite:///{here / place}", dumped)
    assert [path.name for path in here.rglob("*") if path.is_file()] == ["target.sqlite"]


def test_what_was_there_stays_where_a_backup_is_damaged(dumped: Path, tmp_path: Path) -> None:
    here = tmp_path / "here"
    here.mkdir()
    (here / "notes.txt").write_text("mine")
    (here / "empty.sqlite").touch()
    bad = tmp_path / "bad.jsonl"
    bad.write_text("".join(lines_of(dumped)[:-1]))
    for name in ("empty.sqlite", "notes.txt", "other.sqlite"):
        with pytest.raises(CatalogError):
            restore_backup(f"sqlite:///{here / name}", bad)
    assert (here / "notes.txt").read_text() == "mine"
    assert (here / "empty.sqlite").exists()
    assert not list(here.glob("*other*"))


def test_a_catalog_is_never_written_over(dumped: Path, place: str, clock: Clock) -> None:
    opened(place, clock).close()
    with pytest.raises(ConflictError, match="there is a catalog already"):
        restore_backup(place, dumped)


def test_a_compressed_backup_that_was_cut_off_restores_nothing(dumped: Path, tmp_path: Path) -> None:
    packed = tmp_path / "good.jsonl.gz"
    packed.write_bytes(gzip.compress(dumped.read_bytes())[:-20])
    with pytest.raises(CatalogError, match="Nothing was restored"):
        restore_backup(f"sqlite:///{tmp_path / 'target.sqlite'}", packed)


NEW = ("image", "removed_by")


def test_a_backup_of_an_earlier_version_is_brought_up_to_date(dumped: Path, tmp_path: Path, clock: Clock) -> None:
    """Made by hand from one of this version: without the tables and the column that 0009 and 0010 added."""
    old = tmp_path / "old.jsonl"
    lines: list[str] = []
    table, columns = "", list[str]()
    for text_line in lines_of(dumped)[:-1]:
        line: Any = json.loads(text_line)
        if isinstance(line, list):
            line = [value for name, value in zip(columns, line, strict=True) if (table, name) != NEW]
        elif "table" in line:
            table, columns = line["table"], line["columns"]
            line["columns"] = [name for name in columns if (table, name) != NEW]
        else:
            line["revision"] = "0008"
        if table not in {"entity_alias", "audit_head"}:
            lines.append(json.dumps(line) + "\n")
    rows = sum(line.startswith("[") for line in lines)
    end = {"rows": rows, "sha256": sha256("".join(lines).encode()).hexdigest()}
    old.write_text("".join([*lines, json.dumps(end) + "\n"]))
    target = f"sqlite:///{tmp_path / 'target.sqlite'}"
    restore_backup(target, old)
    with opened(target, clock) as catalog:
        assert catalog.count_entities()["annotation"] == 1
        assert catalog.survivors([1]) == {}
        with catalog._database.reading() as connection:
            assert connection.execute(text("SELECT removed_by FROM image")).scalars().all() == [None]


def test_a_backup_of_a_used_catalog_in_sqlite_stays_a_catalog(tmp_path: Path, clock: Clock) -> None:
    with opened(f"sqlite:///{tmp_path / 'source.sqlite'}", clock) as catalog:
        add(catalog, item("/data/a.tif"))
        assert catalog.backup(tmp_path / "copy.sqlite") is None
    copy = shutil.copy(tmp_path / "copy.sqlite", tmp_path / "again.sqlite")
    with opened(f"sqlite:///{copy}", clock) as again:
        assert again.list_images().total == 1
        assert again.list_images().images[0].metadata == metadata()
