"""Stale records from end to end, as people remove them by hand and imports do by themselves.

What a cleanup has to come to, and the tests that say so here:

By hand
    stale annotations are found: ``test_a_dry_run_...``, both of them
    a dry run is one: ``test_a_dry_run_...``
    a removal works, after a question: ``test_a_removal_asks_...``
    no valid annotation is lost: ``test_nothing_else_changes_...``; at random in ``tests/cleanup/test_any_cleanup.py``
    what belongs to a record goes along: ``test_shapes_files_authors_...``, ``test_an_undo_...``
During import
    it is on unless it is switched off: ``test_an_import_removes_...``
    stale annotations and their files go with the import of their run: ``test_an_import_removes_...``
    no valid annotation is lost: ``test_nothing_else_changes_...``
    it can begin with one dataset, and end at once: ``test_it_begins_with_one_dataset_...``
    imports are as fast as before: ``test_an_import_asks_the_catalog_...``; in seconds ``benchmarks/imports.py``
    duplicates of earlier imports become one record: ``test_duplicates_...``
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from coverslip.catalog import Catalog
from coverslip.derive import open_catalog
from coverslip.ingest.importing import import_layout, open_layout
from coverslip.ingest.importing.stale import CleanupMode, Sweeping
from coverslip.settings import Settings
from tests.cli.here import Here, commands
from tests.ingest.importing.layouts import ANNOTATION, SPACING, annotation, put, write_layout
from tests.services.s3 import S3Server
from tests.sources.bucket import BUCKET, Corner, corner_of, serve_bucket

OTHER_SPACING = SPACING.replace("13.480", "26.960")
OTHER_RUN = SPACING.replace("TS_1", "TS_2")
OTHER_DATASET = SPACING.replace("20001", "20002")
AUTHORS = [{"name": "Ada"}, {"name": "Grace"}]
LINKS = [{"link": "https://example.org/method", "link_type": "documentation"}]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Here]:
    """Return what runs commands with a home of their own."""
    with commands(tmp_path, monkeypatch, capsys) as here:
        yield here


@contextmanager
def cataloged() -> Iterator[Catalog]:
    """Open the catalog of the commands."""
    with open_catalog(Settings.load().catalog_url) as catalog:
        yield catalog


def write_annotation(top: Path, number: int, spacing: str = SPACING, name: str | None = "membrane") -> Path:
    """Write an annotation with its points, authors and link; return its folder."""
    folder, stem = f"{spacing}/Annotations/{number}", f"membrane-{number}"
    document = annotation(name and f"{name} {number}", stem, number)
    document |= {"authors": AUTHORS, "method_links": LINKS}
    document["files"][0]["path"] = f"{folder}/{stem}_point.ndjson"
    put(top, f"{folder}/{stem}.json", document)
    put(top, f"{folder}/{stem}_point.ndjson", "{}\n")
    run = spacing.split("/Reconstructions", maxsplit=1)[0]
    put(top, f"{run}/run_metadata.json", {"run_name": run.partition("/")[2], "deposition_id": 10301})
    put(top, f"{run.partition('/')[0]}/dataset_metadata.json", {"deposition_id": 10301})
    return top / folder


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Return a layout with the annotations 100 to 109, the same at another spacing, and some in another run."""
    root = write_layout(tmp_path / "portal")
    for number in range(101, 110):
        write_annotation(root, number)
        write_annotation(root, number, OTHER_SPACING)
    for number in range(101, 104):
        write_annotation(root, number, OTHER_RUN)
    return root


def everything() -> dict[int, Any]:
    """Return every record of the catalog by its public number."""
    with cataloged() as catalog:
        return {one.id: one for one in catalog.entities()}


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with serve_bucket() as server:
        yield server


@pytest.fixture
def corner(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corner]:
    with corner_of(server, monkeypatch) as corner:
        yield corner


@pytest.fixture
def staging(corner: Corner, run: Here, tmp_path: Path) -> Corner:
    """Return a bucket that lacks 5 of 30 annotations of one run and 10 of 60 of another; all are cataloged."""
    top = tmp_path / "staging"
    for number in range(30):
        write_annotation(top, 100 + number)
    for number in range(60):
        write_annotation(top, 100 + number, OTHER_RUN)
    run("import", str(top))
    for number in range(100, 105):
        shutil.rmtree(top / SPACING / "Annotations" / str(number))
    for number in range(100, 110):
        shutil.rmtree(top / OTHER_RUN / "Annotations" / str(number))
    keys = [path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: corner.put(key, (top / key).read_bytes()), keys))
    return corner


def place_of(corner: Corner) -> tuple[str, ...]:
    return ("--s3-bucket", BUCKET, "--s3-prefix", f"{corner.url}/")


def number_of(type_: str, name: str) -> int:
    return next(number for number, one in everything().items() if (one.type, one.name) == (type_, name))


@pytest.mark.service
def test_a_dry_run_of_one_run_says_what_is_not_in_the_bucket_and_removes_nothing(staging: Corner, run: Here) -> None:
    before = everything()
    text = run("clean", "annotations", "--run-id", str(number_of("run", "TS_1")), *place_of(staging))
    assert "Found 5 annotations to remove of 30 looked at:\n" in text
    assert f"/{SPACING}/Annotations/104/membrane-104.json\n" in text
    assert "membrane-105.json" not in text
    assert "TS_2" not in text
    assert "Dry run: nothing was removed. Run with --no-dry-run to remove.\n" in text
    assert everything() == before


@pytest.mark.service
def test_a_dry_run_of_everything_is_told_run_by_run(staging: Corner, run: Here) -> None:
    text = run("clean", "annotations", *place_of(staging), answer="y\n")
    assert "no scope is given: this looks at all annotations of the catalog" in text
    lines = text.splitlines()
    assert "Found 15 annotations to remove of 90 looked at:\n" in text
    groups = [line.rpartition(": ")[2] for line in lines if line.startswith("  dataset 20001")]
    assert groups == ["5 annotations", "10 annotations"]
    assert sum(line.startswith("    - annotation ") for line in lines) == 15


@pytest.mark.service
@pytest.mark.parametrize(("answer", "removed"), [("y\n", 5), ("n\n", 0), ("", 0)])
def test_a_removal_asks_first_and_names_a_backup(staging: Corner, run: Here, answer: str, removed: int) -> None:
    before = everything()
    of_run = ("--run-id", str(number_of("run", "TS_1")))
    text = run(
        "clean", "annotations", *of_run, *place_of(staging), "--no-dry-run", answer=answer, code=0 if removed else 1
    )
    assert "make a backup of the catalog first" in text
    assert "Remove 5 annotations?" in text
    gone = before.keys() - everything().keys()
    assert {before[one].key for one in gone} == {
        f"{SPACING}/Annotations/{number}/membrane-{number}.json" for number in range(100, 100 + removed)
    }


def test_shapes_files_authors_links_and_what_was_made_of_them_go_along(run: Here, top: Path) -> None:
    run("import", str(top))
    folder = write_annotation(top, 105)
    number = next(one.id for one in everything().values() if one.key == f"{SPACING}/Annotations/105/membrane-105.json")
    with cataloged() as catalog:
        (made,) = catalog.artifacts_of_entities([number])
        image_id = made.image_id
        shown = [one.id for one in catalog.surroundings(image_id).annotations]  # type: ignore[union-attr]  # a tomogram
    assert made.kind == "precomputed-point"
    assert number in shown
    shutil.rmtree(folder)
    text = run("clean", "annotations", "--all", "--no-dry-run", "--yes")
    assert "1 shape, 1 file, 2 authors, 1 link, 0 B of artifacts; 1 tomogram shows it" in text
    with cataloged() as catalog:
        assert catalog.artifacts_of_entities([number]) == []
        shown.remove(number)
        assert [one.id for one in catalog.surroundings(image_id).annotations] == shown  # type: ignore[union-attr]
    run("purge", "--older-than-days", "0", "--yes")
    assert rows("SELECT count(*) FROM entity WHERE id = ?", number) == [(0,)]
    assert rows("SELECT count(*) FROM artifact WHERE entity_id = ?", number) == [(0,)]


def rows(statement: str, *values: object) -> list[tuple[Any, ...]]:
    """Return what the database of the commands says."""
    with cataloged() as catalog, catalog._database.reading() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement, values)]


def test_an_undo_brings_back_all_that_went_along(run: Here, top: Path) -> None:
    run("import", str(top))
    shutil.rmtree(write_annotation(top, 105))
    wanted = "SELECT id, kind, image_id, entity_id, built, key FROM artifact ORDER BY id"
    before, made = everything(), rows(wanted)
    plan = run.json("clean", "annotations", "--all", "--no-dry-run", "--yes")
    assert len(before) - len(everything()) == 1
    run("undo", plan["id"])
    assert (everything(), rows(wanted)) == (before, made)


@pytest.mark.parametrize("way", ["by hand", "by import"])
def test_nothing_else_changes_neither_at_other_spacings_nor_in_other_runs(run: Here, top: Path, way: str) -> None:
    run("import", str(top))
    before = everything()
    shutil.rmtree(top / SPACING / "Annotations/101")  # 101 is at another spacing and in another run as well
    words = ("clean", "annotations", "--all", "--no-dry-run", "--yes") if way == "by hand" else ("import", str(top))
    run(*words)
    after = everything()
    assert [before[one].key for one in before.keys() - after.keys()] == [f"{SPACING}/Annotations/101/membrane-101.json"]
    assert after == {number: one for number, one in before.items() if number in after}
    left = Counter(one.name for one in after.values() if one.type == "annotation")
    assert (left["membrane 101"], left["membrane 102"]) == (2, 3)


def test_an_import_removes_stale_annotations_with_their_files_and_says_so(run: Here, top: Path) -> None:
    assert Settings.load().cleanup_during_import == "on"
    for number in (108, 109):
        write_annotation(top, number, OTHER_RUN)
    run("import", str(top))
    before = everything()
    shutil.rmtree(top / SPACING / "Annotations/105")
    (top / OTHER_SPACING / "Annotations/106/membrane-106.json").unlink()  # its points are left
    put(top, ANNOTATION, annotation(stem="ribosome-1.0"))
    text = run("import", str(top))
    assert "Removed, because their documents are gone: 2 records." in text
    gone = before.keys() - everything().keys()
    assert sorted(before[one].key for one in gone) == [
        f"{SPACING}/Annotations/105/membrane-105.json",
        f"{OTHER_SPACING}/Annotations/106/membrane-106.json",
    ]
    assert all(one.key != f"{SPACING}/Annotations/105/membrane-105_point.ndjson" for one in files())
    logged = run.json("audit", "list")
    assert {(line["action"], line["record"]["id"]) for line in logged} == {("remove", number) for number in gone}
    assert "Removed" not in run("import", str(top))


def files() -> list[Any]:
    """Return every file that a record names."""
    return [file for one in everything().values() for file in one.files]


def test_it_begins_with_one_dataset_and_ends_at_once(run: Here, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(101, 106):
        write_annotation(top, number, OTHER_DATASET)
    run("import", str(top))
    before = everything()
    for spacing in (SPACING, OTHER_DATASET):
        shutil.rmtree(top / spacing / "Annotations/102")
    run("import", str(top), "--cleanup", "off")
    assert everything() == before
    monkeypatch.setenv("COVERSLIP_CLEANUP_DURING_IMPORT", "off")
    monkeypatch.setenv("COVERSLIP_CLEANUP_EXCEPTIONS", "20002=on")
    run("import", str(top))
    gone = [before[one].key for one in before.keys() - everything().keys()]
    assert gone == [f"{OTHER_DATASET}/Annotations/102/membrane-102.json"]
    monkeypatch.delenv("COVERSLIP_CLEANUP_DURING_IMPORT")
    run("import", str(top))
    assert len(before) - len(everything()) == 2


def test_duplicates_of_earlier_imports_become_the_oldest_record(run: Here, top: Path) -> None:
    for number in (201, 202):
        write_annotation(top, number, name=None)
    run("import", str(top), "--cleanup", "off")
    first = annotations()
    for number in (201, 202):
        write_annotation(top, number, name="vesicle")
    run("import", str(top), "--cleanup", "off")
    assert len(annotations()) == len(first) + 2
    run("import", str(top))
    assert annotations() == first
    assert {one.name for one in everything().values() if "vesicle" in one.name} == {"vesicle 201", "vesicle 202"}


def annotations() -> list[tuple[int, str]]:
    """Return number and document of every annotation."""
    return [(one.id, one.key) for one in everything().values() if one.type == "annotation"]


def test_an_import_asks_the_catalog_hardly_more_often_because_it_cleans_up(tmp_path: Path, top: Path) -> None:
    shutil.copytree(top, tmp_path / "larger")
    for number in range(110, 130):
        write_annotation(tmp_path / "larger", number)
    more = [
        statements(root, tmp_path / f"{root.name}-{mode}.sqlite", mode)
        for root in (top, tmp_path / "larger")
        for mode in ("off", "on")
    ]
    assert 0 < more[1] - more[0] == more[3] - more[2], "it asks for each annotation"


def statements(root: Path, catalog_file: Path, mode: CleanupMode) -> int:
    """Import a layout twice, a stale annotation the second time, and return the statements of the second time."""
    asked = Counter[str]()
    sweeping = Sweeping(lambda _dataset: mode)
    with open_catalog(f"sqlite:///{catalog_file}") as catalog:
        import_layout(open_layout(root), catalog, sweeping=sweeping)
        shutil.move(root / SPACING / "Annotations/105", root / "kept")

        def count(*given: Any) -> None:
            asked[given[2]] += 1

        event.listen(catalog._database._reader, "before_cursor_execute", count)
        report = import_layout(open_layout(root), catalog, sweeping=sweeping)
        shutil.move(root / "kept", root / SPACING / "Annotations/105")
    assert report.cleaned.removed == (1 if mode == "on" else 0)
    return asked.total()
