"""What an import writes to the catalog: everything once, the same numbers for ever, and nothing of what is unknown."""

import shutil
from pathlib import Path

import pytest

from coverslip.catalog import Catalog
from coverslip.ingest import add
from coverslip.ingest.importing import ImportReport, Top, import_layout, open_layout
from coverslip.ingest.importing.listing import Listing, list_layout
from coverslip.ingest.importing.places import sort_listing
from tests.ingest.importing.layouts import (
    ALIGNMENT,
    ANNOTATION,
    RUN,
    SPACING,
    TOMOGRAM,
    annotation,
    put,
    tomogram,
    write_layout,
    write_runs,
)

SELF = "datasets/20001/runs/TS_1"
TOMOGRAM_IDENTITY = f"{SELF}/spacings/13.480/tomograms/100,WBP,raw,tomo3D,10301"
ANNOTATION_IDENTITY = f"{SELF}/spacings/13.480/annotations/10302/ribosome/100"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return write_layout(tmp_path / "top")


def run(catalog: Catalog, top: Path) -> ImportReport:
    return import_layout(open_layout(top), catalog, workers=2)


def numbers(catalog: Catalog) -> dict[str, int]:
    return {one.identity: one.id for one in catalog.entities()}


def test_everything_is_cataloged_and_its_images_can_be_seen(catalog: Catalog, top: Path) -> None:
    report = run(catalog, top)
    assert report.is_whole
    assert {name: dict(counts) for name, counts in report.entities.items()} == {
        name: {"added": 1}
        for name in (
            *("deposition", "deposition_keyphoto", "dataset", "dataset_keyphoto", "run", "frame"),
            *("identified_object", "tiltseries", "rawtilt", "ctf", "alignment", "gain", "collection_metadata"),
            *("voxel_spacing", "tomogram", "annotation"),
        )
    }
    assert +report.images == {"added": 2}
    made = catalog.entities(str(top), type="tomogram")[0]
    image = catalog.list_images(limit=10).images
    assert {one.path for one in image} == {
        str(top / SPACING / "Tomograms/100/TS_1.zarr"),
        str(top / RUN / "TiltSeries/100/TS_1.zarr"),
    }
    assert made.image_id in [one.id for one in image]
    around = catalog.surroundings(str(made.image_id))
    assert around is not None
    assert [one.identity for one in around.annotations] == [ANNOTATION_IDENTITY]
    assert around.alignment is not None
    assert around.alignment.key == ALIGNMENT


def test_a_second_import_writes_nothing_and_opens_nothing(catalog: Catalog, top: Path) -> None:
    run(catalog, top)
    before = catalog.entities()
    again = run(catalog, top)
    assert (again.written, again.images_opened) == (0, 0)
    assert +again.images == {"unchanged": 2}
    assert catalog.entities() == before


def test_numbers_stay_while_documents_change(catalog: Catalog, top: Path) -> None:
    run(catalog, top)
    before = numbers(catalog)
    put(top, TOMOGRAM, tomogram(ctf_corrected=True))
    put(top, f"{SPACING}/Annotations/101/membrane-1.0.json", annotation("membrane", "membrane-1.0", 101))
    put(top, f"{SPACING}/Annotations/101/membrane-1.0_point.ndjson", "")
    report = run(catalog, top)
    assert (report.entities["tomogram"], report.entities["annotation"]) == (
        {"changed": 1},
        {"unchanged": 1, "added": 1},
    )
    after = numbers(catalog)
    assert {name: after[name] for name in before} == before
    made = catalog.entities(identities=[TOMOGRAM_IDENTITY])[0]
    assert (made.revision, made.document["ctf_corrected"]) == (2, True)


def test_what_is_unknown_stays_as_it_was_and_nothing_is_removed(catalog: Catalog, top: Path) -> None:
    put(top, TOMOGRAM, b"{")
    report = run(catalog, top)
    assert not report.is_whole
    assert [(problem.kind, problem.key) for problem in report.problems] == [("broken", TOMOGRAM)]
    assert TOMOGRAM_IDENTITY not in numbers(catalog)
    put(top, TOMOGRAM, tomogram())
    assert run(catalog, top).entities["tomogram"] == {"added": 1}
    before = catalog.entities()
    put(top, TOMOGRAM, b"{")
    (top / ANNOTATION).unlink()
    again = run(catalog, top)
    assert again.written == 0
    assert not again.is_whole
    assert catalog.entities() == before


def test_a_folder_that_could_not_be_listed_is_unknown_with_everything_in_it(catalog: Catalog, top: Path) -> None:
    run(catalog, top)
    before = catalog.entities()
    folders = (f"{RUN}/Alignments", f"{SPACING}/Tomograms")
    listed = list_layout(top)
    files = {key: seen for key, seen in listed.files.items() if not key.startswith(folders)}
    listing = Listing(top, files, unlisted=dict.fromkeys(folders, "permission denied"))
    report = import_layout(Top(listing, sort_listing(listing)), catalog)
    assert not report.is_whole
    assert {(one.kind, one.key) for one in report.problems} == {
        ("unknown", folders[0]),
        ("unknown", folders[1]),
    }
    assert report.images["missing"] == 0
    assert catalog.entities() == before


def test_what_lies_in_something_unknown_waits(catalog: Catalog, top: Path) -> None:
    content = (top / f"{RUN}/run_metadata.json").read_bytes()
    put(top, f"{RUN}/run_metadata.json", b"{")
    report = run(catalog, top)
    assert {one.type for one in catalog.entities()} == {
        "deposition",
        "deposition_keyphoto",
        "dataset",
        "dataset_keyphoto",
    }
    assert [problem.kind for problem in report.problems][:2] == ["broken", "held"]
    put(top, f"{RUN}/run_metadata.json", content)
    assert run(catalog, top).is_whole
    put(top, f"{RUN}/run_metadata.json", b"{")
    put(top, TOMOGRAM, tomogram(ctf_corrected=True))
    assert run(catalog, top).entities["tomogram"] == {"changed": 1}  # the catalog knows its run


def test_a_document_that_is_gone_does_not_empty_what_is_known(catalog: Catalog, top: Path) -> None:
    run(catalog, top)
    (top / f"{RUN}/run_metadata.json").unlink()
    shutil.rmtree(top / "depositions_metadata")
    report = run(catalog, top)
    assert report.written == 0
    assert catalog.entities(identities=[SELF])[0].document == {"run_name": "TS_1", "deposition_id": 10301}


def test_another_of_the_same_is_not_taken_for_one_that_cannot_be_read(catalog: Catalog, top: Path) -> None:
    other = f"{SPACING}/Tomograms/101/tomogram_metadata.json"
    put(top, other, tomogram(omezarr_dir=""))
    run(catalog, top)
    put(top, TOMOGRAM, b"{")
    report = run(catalog, top)
    assert ("held", other) in [(problem.kind, problem.key) for problem in report.problems]
    assert [(one.number, one.key) for one in catalog.entities(type="tomogram")] == [(100, TOMOGRAM), (101, other)]


def test_an_image_that_is_gone_is_missing_and_comes_back(catalog: Catalog, top: Path, tmp_path: Path) -> None:
    run(catalog, top)
    volume = top / SPACING / "Tomograms/100/TS_1.zarr"
    shutil.move(volume, tmp_path / "kept.zarr")
    report = run(catalog, top)
    assert report.images["missing"] == 1
    assert ("incomplete", volume.relative_to(top).as_posix()) in [(one.kind, one.key) for one in report.problems]
    gone = [one.path for one in catalog.list_images(limit=10).images if one.missing_since is not None]
    assert gone == [str(volume)]
    shutil.move(tmp_path / "kept.zarr", volume)
    report = run(catalog, top)
    assert report.images["found"] == 1
    assert all(one.missing_since is None for one in catalog.list_images(limit=10).images)


def test_a_volume_that_cannot_be_opened_is_broken_and_its_run_is_there(catalog: Catalog, top: Path) -> None:
    (top / SPACING / "Tomograms/100/TS_1.zarr/.zattrs").write_text("{")
    report = run(catalog, top)
    assert [(one.kind, one.key) for one in report.problems] == [("broken", f"{SPACING}/Tomograms/100/TS_1.zarr")]
    assert TOMOGRAM_IDENTITY in numbers(catalog)
    assert run(catalog, top).written == 0


def test_what_add_has_cataloged_is_the_same_image(catalog: Catalog, top: Path) -> None:
    add([top], catalog=catalog)
    ids = {one.id for one in catalog.list_images(limit=10).images}
    report = run(catalog, top)
    assert (report.images_opened, +report.images) == (0, {"unchanged": 2})
    assert {one.id for one in catalog.list_images(limit=10).images} == ids
    assert catalog.entities(type="tomogram")[0].image_id in ids


def test_a_stopped_import_keeps_what_it_wrote(catalog: Catalog, tmp_path: Path) -> None:
    top = write_runs(tmp_path / "top", 20)
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 5

    report = import_layout(open_layout(top), catalog, should_stop=stop)
    assert report.stopped
    assert len(catalog.entities(type="run")) == 3  # after the deposition and the dataset
    assert len(run(catalog, top).problems) == 0
    assert len(catalog.entities(type="run")) == 20


def test_the_samples_are_imported_once(catalog: Catalog, samples: Path) -> None:
    report = run(catalog, samples / "portal")
    assert report.entities["tomogram"] == {"added": 2}
    again = run(catalog, samples / "portal")
    assert again.written == 0
