"""What an import removes: records of the run whose documents a complete listing certainly lacks, and nothing else."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from coverslip.catalog import Catalog
from coverslip.cleanup.planning import excluding_others
from coverslip.derive import open_catalog
from coverslip.ingest.importing import ImportReport, Top, import_layout, open_layout, stale
from coverslip.ingest.importing.listing import Listing, list_layout
from coverslip.ingest.importing.places import sort_listing
from coverslip.ingest.importing.stale import CleanupMode, Sweeping
from coverslip.model.entities import EntityChanges
from tests.ingest.importing.layouts import RUN, SPACING, annotation, put, write_layout

OTHER = SPACING.replace("13.480", "26.960")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return open_catalog(f"sqlite:///{tmp_path / 'catalog.sqlite'}")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    root = write_layout(tmp_path / "portal")
    for number in range(101, 105):
        write_annotation(root, number)
    write_annotation(root, 101, OTHER)
    return root


def write_annotation(top: Path, number: int, spacing: str = SPACING, stem: str = "membrane") -> Path:
    """Write an annotation with its file of points; return its folder."""
    folder = f"{spacing}/Annotations/{number}"
    document = annotation(f"{stem} {number}", f"{stem}-{number}", number)
    document["files"][0]["path"] = f"{folder}/{stem}-{number}_point.ndjson"
    put(top, f"{folder}/{stem}-{number}.json", document)
    put(top, f"{folder}/{stem}-{number}_point.ndjson", "{}\n")
    return top / folder


def sweep(catalog: Catalog, top: Path | Top, mode: CleanupMode = "on", allow: int = 0) -> ImportReport:
    sweeping = Sweeping(lambda _dataset: mode, "ada", "coverslip import", allow)
    return import_layout(open_layout(top) if isinstance(top, Path) else top, catalog, sweeping=sweeping)


def names(catalog: Catalog) -> list[tuple[str, str]]:
    """Return spacing and name of every annotation."""
    return sorted((one.identity.split("/")[5], one.name) for one in catalog.entities(type="annotation"))


def test_a_stale_annotation_goes_with_the_import_of_its_run_and_an_undo_brings_it_back(
    catalog: Catalog, top: Path
) -> None:
    sweep(catalog, top)
    before = names(catalog)
    (number,) = (one.id for one in catalog.entities(type="annotation") if one.name == "membrane 102")
    shutil.rmtree(top / SPACING / "Annotations/102")
    report = sweep(catalog, top)
    assert (report.cleaned.removed, report.is_whole) == (1, True)
    assert [one for one in before if one not in names(catalog)] == [("13.480", "membrane 102")]
    (plan_id,) = report.cleaned.plans
    (line,) = catalog.audit(plan_id=plan_id)
    assert (line.actor, line.command, line.record["id"]) == ("ada", "coverslip import", number)
    assert catalog.undo_plan(plan_id, actor="ada").restored == (number,)
    assert names(catalog) == before


def test_the_same_ingest_id_at_another_spacing_stays(catalog: Catalog, top: Path) -> None:
    sweep(catalog, top)
    shutil.rmtree(top / SPACING / "Annotations/101")
    assert sweep(catalog, top).cleaned.removed == 1
    assert ("26.960", "membrane 101") in names(catalog)
    assert ("13.480", "membrane 101") not in names(catalog)


def test_everything_stale_of_a_run_goes_each_type_in_its_scope(catalog: Catalog, top: Path) -> None:
    sweep(catalog, top)
    for folder in ("Alignments", "TiltSeries", "Gains", "IdentifiedObjects"):
        shutil.rmtree(top / RUN / folder)
    report = sweep(catalog, top)
    gone = {one.type for one in catalog.entities(deleted=True)}
    assert gone == {"alignment", "tiltseries", "rawtilt", "ctf", "gain", "identified_object"}
    assert report.cleaned.removed == 6
    assert {one.type for one in catalog.entities()} >= {"tomogram", "annotation", "frame", "collection_metadata"}


def test_a_tilt_series_with_a_file_that_is_there_stays_and_tomograms_always_do(catalog: Catalog, top: Path) -> None:
    sweep(catalog, top)
    (top / RUN / "TiltSeries/100/tiltseries_metadata.json").unlink()
    report = sweep(catalog, top)
    assert report.cleaned.removed == 0
    assert len(catalog.entities(type="tiltseries")) == 1
    assert len(catalog.entities(type="tomogram")) == 1


@pytest.mark.parametrize(("mode", "removed", "planned"), [("off", 0, 0), ("report", 0, 1)])
def test_it_can_be_switched_off_or_only_told(
    catalog: Catalog, top: Path, mode: CleanupMode, removed: int, planned: int
) -> None:
    sweep(catalog, top)
    before = names(catalog)
    shutil.rmtree(top / SPACING / "Annotations/102")
    report = sweep(catalog, top, mode)
    assert (report.cleaned.removed, report.cleaned.planned) == (removed, planned)
    assert names(catalog) == before
    for plan_id in report.cleaned.plans:
        assert catalog.plan(plan_id).state == "open"
        assert len(catalog.apply_plan(plan_id, actor="ada").removed) == 1


def test_an_import_removes_nothing_while_its_layout_is_cleaned_and_keeps_the_plan(
    catalog: Catalog, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(catalog, top)
    before = names(catalog)
    shutil.rmtree(top / SPACING / "Annotations/102")
    write_annotation(top, 300)
    monkeypatch.setattr(stale, "WAIT_SECONDS", 0.05)
    with excluding_others(catalog, [str(top)]):
        report = sweep(catalog, top)
    assert (report.cleaned.removed, report.cleaned.planned) == (0, 1)
    assert names(catalog) == sorted([*before, ("13.480", "membrane 300")])
    assert sweep(catalog, top).cleaned.removed == 1


def test_a_document_that_another_import_saw_again_stays(
    catalog: Catalog, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep(catalog, top)
    before = names(catalog)
    folder = top / SPACING / "Annotations/102"
    shutil.move(folder, top.parent / "away")
    plans: list[list[str]] = []
    write = catalog.sync_entities

    def meanwhile(*given: Any, **named: Any) -> EntityChanges:
        if named.get("removing") is not None and not plans:
            shutil.move(top.parent / "away", folder)
            with open_catalog(f"sqlite:///{top.parent / 'catalog.sqlite'}") as other:
                plans.append(sweep(other, top).cleaned.plans)
        return write(*given, **named)

    monkeypatch.setattr(catalog, "sync_entities", meanwhile)
    sweep(catalog, top)
    assert plans == [[]]
    assert names(catalog) == before


def test_the_brake_stops_its_scope_alone_and_the_rest_is_imported(catalog: Catalog, top: Path) -> None:
    for number in range(105, 110):
        write_annotation(top, number, stem="vesicle")
    sweep(catalog, top)
    for number in range(104, 110):
        shutil.rmtree(top / SPACING / "Annotations" / str(number))
    shutil.rmtree(top / RUN / "Gains")
    write_annotation(top, 200)
    report = sweep(catalog, top)
    assert [(stop.group.type, stop.reason, stop.removed, stop.rows) for stop in report.cleaned.stops] == [
        ("annotation", "many", 6, 10)
    ]
    assert (report.cleaned.removed, report.is_whole) == (1, False)
    assert ("13.480", "membrane 200") in names(catalog)
    assert ("13.480", "vesicle 109") in names(catalog)
    again = sweep(catalog, top, allow=6)
    assert (again.cleaned.removed, again.is_whole) == (6, True)


def test_what_was_allowed_holds_for_all_runs_together(catalog: Catalog, top: Path) -> None:
    put(top, f"{RUN}2/run_metadata.json", (top / RUN / "run_metadata.json").read_text())
    for spacing in (SPACING, SPACING.replace(RUN, f"{RUN}2")):
        for number in range(201, 207):
            write_annotation(top, number, spacing, stem="vesicle")
        put(top, f"{spacing}/Images/notes.txt", "hello")
    sweep(catalog, top)
    for spacing in (SPACING, SPACING.replace(RUN, f"{RUN}2")):
        for number in range(201, 207):
            shutil.rmtree(top / spacing / "Annotations" / str(number))
    for allow, removed in ((5, 0), (11, 6), (6, 6), (6, 0)):
        report = sweep(catalog, top, allow=allow)
        assert (allow, report.cleaned.removed) == (allow, removed)
    assert report.is_whole


def test_what_could_not_be_listed_removes_nothing(catalog: Catalog, top: Path) -> None:
    sweep(catalog, top)
    before = names(catalog)
    shutil.rmtree(top / SPACING / "Annotations/102")
    listed = list_layout(top)
    folder = f"{SPACING}/Annotations"
    files = {key: seen for key, seen in listed.files.items() if not key.startswith(folder)}
    listing = Listing(top, files, unlisted={folder: "permission denied"})
    report = sweep(catalog, Top(listing, sort_listing(listing)))
    assert report.cleaned.removed == 0
    assert names(catalog) == before
    stops = [str(stop) for stop in report.cleaned.stops]
    assert stops == [
        "20001/TS_1/13.480: 0 of 5 annotation rows would be removed, it could not be listed to the end",
    ]
    assert (report.is_whole, report.cleaned.plans, report.cleaned.planned) == (False, [], 0)


def test_what_was_written_since_the_listing_began_stays(catalog: Catalog, top: Path) -> None:
    sweep(catalog, top)
    shutil.move(top / SPACING / "Annotations/102", top.parent / "away")
    opened = open_layout(top)
    shutil.move(top.parent / "away", top / SPACING / "Annotations/102")
    assert sweep(catalog, opened).cleaned.removed == 0
    assert ("13.480", "membrane 102") in names(catalog)


def test_a_run_that_is_gone_as_a_whole_stays(catalog: Catalog, top: Path) -> None:
    sweep(catalog, top)
    before = names(catalog)
    shutil.rmtree(top / RUN)
    assert sweep(catalog, top).cleaned.removed == 0
    assert names(catalog) == before


def test_a_voxel_spacing_that_is_empty_as_a_share_that_is_not_mounted_stays(catalog: Catalog, top: Path) -> None:
    sweep(catalog, top)
    before = catalog.count_entities()
    for folder in (top / SPACING).iterdir():
        shutil.rmtree(folder)
    report = sweep(catalog, top)
    assert {(stop.group.type, stop.reason) for stop in report.cleaned.stops} == {
        ("annotation", "empty"),
        ("tomogram", "empty"),
    }
    assert (report.cleaned.removed, report.is_whole) == (0, False)
    assert catalog.count_entities() == before


def test_the_only_annotation_of_a_voxel_spacing_goes_while_anything_else_lies_there(
    catalog: Catalog, top: Path
) -> None:
    sweep(catalog, top)
    shutil.rmtree(top / OTHER / "Annotations/101")
    put(top, f"{OTHER}/Images/notes.txt", "hello")
    assert sweep(catalog, top).cleaned.removed == 1
    assert ("26.960", "membrane 101") not in names(catalog)


def test_a_document_that_is_broken_is_not_gone(catalog: Catalog, top: Path) -> None:
    sweep(catalog, top)
    before = names(catalog)
    put(top, f"{SPACING}/Annotations/102/membrane-102.json", "{")
    assert sweep(catalog, top).cleaned.removed == 0
    assert names(catalog) == before


def test_an_annotation_without_files_is_judged_by_its_document(catalog: Catalog, top: Path) -> None:
    bare = annotation("bare", "bare-1.0", 300)
    bare["files"] = []
    put(top, f"{SPACING}/Annotations/300/bare-1.0.json", bare)
    sweep(catalog, top)
    assert sweep(catalog, top).cleaned.removed == 0
    assert ("13.480", "bare") in names(catalog)
    shutil.rmtree(top / SPACING / "Annotations/300")
    assert sweep(catalog, top).cleaned.removed == 1


def test_a_file_that_is_gone_makes_its_record_incomplete_until_it_is_back(catalog: Catalog, top: Path) -> None:
    sweep(catalog, top)
    points = top / SPACING / "Annotations/102/membrane-102_point.ndjson"
    points.unlink()
    assert sweep(catalog, top).cleaned.removed == 0
    (row,) = (one for one in catalog.entities(type="annotation") if one.incomplete_since is not None)
    assert (row.name, row.files) == ("membrane 102", ())
    points.write_text("{}\n")
    sweep(catalog, top)
    assert [one for one in catalog.entities() if one.incomplete_since is not None] == []


def test_a_file_in_a_folder_that_could_not_be_listed_changes_nothing_of_its_record(catalog: Catalog, top: Path) -> None:
    volume = f"{SPACING}/Tomograms/100/TS_1.zarr"
    sweep(catalog, top)
    before = catalog.entities(type="tomogram")
    listed = list_layout(top)
    files = {key: seen for key, seen in listed.files.items() if not key.startswith(volume)}
    listing = Listing(top, files, unlisted={volume: "permission denied"})
    report = sweep(catalog, Top(listing, sort_listing(listing)))
    assert ("unknown", volume) in [(one.kind, one.key) for one in report.problems]
    assert catalog.entities(type="tomogram") == before


def test_an_annotation_that_got_another_name_is_one_record_again_with_its_first_number(
    catalog: Catalog, top: Path
) -> None:
    document = f"{SPACING}/Annotations/300/vesicle-1.0.json"
    put(top, document, {**annotation(None, "vesicle-1.0", 300), "files": []})
    sweep(catalog, top)
    (first,) = (one for one in catalog.entities(type="annotation") if one.key == document)
    put(top, document, {**annotation("vesicle", "vesicle-1.0", 300), "files": []})
    sweep(catalog, top)
    report = sweep(catalog, top)
    assert report.cleaned.removed == 1
    (row,) = (one for one in catalog.entities(type="annotation") if one.key == document)
    assert (row.id, row.name) == (first.id, "vesicle")
    assert sweep(catalog, top).written == 0
