"""What a layout of the portal consists of, read from its listing and its documents."""

from collections import Counter
from pathlib import Path

import pytest

from coverslip.errors import InvalidRequestError, NotFoundError
from coverslip.ingest.deposition.sides import read_destination
from coverslip.ingest.importing import Found, read_layout
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


def problems(found: Found) -> list[tuple[str, str]]:
    return [(problem.kind, problem.key) for problem in found.all_problems]


def test_every_type_is_found_under_the_identity_that_an_ingest_gives(tmp_path: Path) -> None:
    found = read_layout(write_layout(tmp_path))
    assert [(one.type, one.identity, one.number) for one in found.entities.values()] == [
        ("deposition", "depositions/10301", 10301),
        ("deposition_keyphoto", "depositions/10301/photos/snapshot", None),
        ("dataset", "datasets/20001", None),
        ("dataset_keyphoto", "datasets/20001/photos/thumbnail", None),
        ("run", SELF, None),
        ("frame", f"{SELF}/frames", None),
        ("identified_object", f"{SELF}/identified_objects/10301", None),
        ("tiltseries", f"{SELF}/tiltseries/10301", 100),
        ("rawtilt", f"{SELF}/tiltseries/10301/rawtilt", None),
        ("ctf", f"{SELF}/tiltseries/10301/ctf/CTFFIND", None),
        ("alignment", f"{SELF}/alignments/10301", 100),
        ("gain", f"{SELF}/gains/gain.mrc", None),
        ("collection_metadata", f"{SELF}/collection_metadata", None),
        ("voxel_spacing", f"{SELF}/spacings/13.480", None),
        ("tomogram", TOMOGRAM_IDENTITY, 100),
        ("annotation", f"{SELF}/spacings/13.480/annotations/10302/ribosome/100", 100),
    ]
    assert problems(found) == []
    there = set(found.entities)
    assert [one.identity for one in found.entities.values() if one.parent is not None and one.parent not in there] == []


def test_entities_have_their_documents_files_alignments_and_images(tmp_path: Path) -> None:
    entities = read_layout(write_layout(tmp_path)).entities
    made = entities[TOMOGRAM_IDENTITY]
    assert made.key == TOMOGRAM
    assert made.document == tomogram()
    assert made.image_key == f"{SPACING}/Tomograms/100/TS_1.zarr"
    assert made.alignment == ALIGNMENT
    marked = entities[f"{SELF}/spacings/13.480/annotations/10302/ribosome/100"]
    assert [(one.key, one.format, one.shape) for one in marked.files] == [
        (f"{SPACING}/Annotations/100/ribosome-1.0_point.ndjson", "ndjson", "Point")
    ]
    assert (marked.alignment, marked.deposition, marked.name) == (ALIGNMENT, "10302", "ribosome")
    assert entities[f"{SELF}/tiltseries/10301"].image_key == f"{RUN}/TiltSeries/100/TS_1.zarr"
    assert entities[f"{SELF}/alignments/10301"].alignment == ALIGNMENT
    assert [one.key for one in entities[f"{SELF}/frames"].files] == [f"{RUN}/Frames/one.tif"]


def test_an_ingest_finds_the_same_entities_under_the_same_numbers(tmp_path: Path) -> None:
    entities = read_layout(write_layout(tmp_path)).entities
    known = read_destination(tmp_path).known
    numbered = {identity: number for container in known.numbers.values() for identity, number in container.items()}
    assert len(numbered) == 4
    assert {identity: entities[identity].number for identity in numbered} == numbered
    assert {identity: entities[identity].key for identity in known.keys} == dict(known.keys)


def test_versions_of_files_change_with_the_files(tmp_path: Path) -> None:
    def versions() -> dict[str, str]:
        return {file.key: file.version for one in read_layout(tmp_path).entities.values() for file in one.files}

    write_layout(tmp_path)
    before = versions()
    assert versions() == before
    put(tmp_path, f"{SPACING}/Annotations/100/ribosome-1.0_point.ndjson", '{"type":"point"}\n{"type":"point"}')
    put(tmp_path, f"{SPACING}/Tomograms/100/TS_1.zarr/0/new", b"chunk")
    after = versions()
    assert {key for key in before if before[key] != after[key]} == {
        f"{SPACING}/Annotations/100/ribosome-1.0_point.ndjson",
        f"{SPACING}/Tomograms/100/TS_1.zarr",
    }


def test_the_samples_of_the_portal_are_read_with_their_older_forms(samples: Path) -> None:
    found = read_layout(samples / "portal")
    assert Counter(one.type for one in found.entities.values()) == {
        "deposition": 2,
        "dataset": 1,
        "run": 4,
        "voxel_spacing": 4,
        "tomogram": 2,
        "tiltseries": 2,
        "rawtilt": 2,
        "gain": 2,
        "alignment": 1,
        "annotation": 1,
        "frame": 1,
        "collection_metadata": 1,
    }
    own = "datasets/30001/runs/RUN1"
    made = found.entities[f"{own}/spacings/12.300/tomograms/100,WBP,raw,tomo3D,300"]
    assert made.image_key == "30001/RUN1/Tomograms/VoxelSpacing12.300/CanonicalTomogram/RUN1.zarr"
    assert found.entities[f"{own}/tiltseries/300"].image_key == "30001/RUN1/TiltSeries/ts_foo.zarr"
    marked = found.entities[f"{own}/spacings/12.300/annotations/301/100-foo-1.0/100"]
    assert marked.alignment == made.alignment == "30001/RUN1/Alignments/100/alignment_metadata.json"
    assert [file.shape for file in marked.files] == ["SegmentationMask", "GlobalCaption"]
    kinds = Counter(problem.kind for problem in found.all_problems)
    assert kinds == {"incomplete": 10, "unmentioned": 10, "unlinked": 1}
    # made by the viewer's exporter: neither an entity nor a stray
    assert not any("neuroglancer_config" in problem.key for problem in found.all_problems)


def test_an_annotation_without_an_ingest_id_is_called_by_the_number_of_its_folder(tmp_path: Path) -> None:
    write_layout(tmp_path)
    put(tmp_path, f"{SPACING}/Annotations/101/old-1.0.json", annotation(None, "old-1.0", 101))
    put(tmp_path, f"{SPACING}/Annotations/101/old-1.0_point.ndjson", "")
    one = read_layout(tmp_path).entities[f"{SELF}/spacings/13.480/annotations/@101"]
    assert (one.number, one.name, one.deposition) == (101, "old-1.0", "10302")


def test_documents_of_annotations_are_found_by_what_they_say(tmp_path: Path) -> None:
    write_layout(tmp_path)
    folder = f"{SPACING}/Annotations/101"
    document = annotation("beta", "membrane-2.0beta", 101)
    document["files"].append(
        {"format": "json", "path": f"{folder}/membrane-2.0beta_globalcaption.json", "shape": "GlobalCaption"}
    )
    put(tmp_path, f"{folder}/membrane-2.0beta.json", document)
    put(tmp_path, f"{folder}/membrane-2.0beta_point.ndjson", "")
    put(tmp_path, f"{folder}/membrane-2.0beta_globalcaption.json", {"captions": []})
    put(tmp_path, f"{folder}/notes.json", {"seen_by": "somebody"})
    found = read_layout(tmp_path)
    one = found.entities[f"{SELF}/spacings/13.480/annotations/10302/beta/100"]
    assert [file.shape for file in one.files] == ["Point", "GlobalCaption"]
    assert problems(found) == [("unmentioned", f"{folder}/notes.json")]


def test_what_has_no_number_in_older_layouts_is_found(tmp_path: Path) -> None:
    put(tmp_path, "20001/dataset_metadata.json", {"deposition_id": 10301})
    put(tmp_path, f"{RUN}/run_metadata.json", {})
    put(tmp_path, f"{RUN}/TiltSeries/tiltseries_metadata.json", {"deposition_id": 10301, "mrc_file": "b/TS_1.mrc"})
    put(tmp_path, f"{RUN}/TiltSeries/TS_1.mrc", b"mrc")
    older = f"{RUN}/Tomograms/VoxelSpacing13.48"
    put(tmp_path, f"{older}/CanonicalTomogram/tomogram_metadata.json", {"deposition_id": 10301, "processing": "raw"})
    put(tmp_path, f"{older}/CanonicalTomogram/TS_1.mrc", b"mrc")
    put(tmp_path, f"{older}/Annotations/100-ribosome-1.0.json", {"annotation_object": {"name": "ribosome"}})
    put(tmp_path, f"{older}/Annotations/101-membrane-1.0.json", {"annotation_object": {"name": "membrane"}})
    found = read_layout(tmp_path)
    got = {one.identity: (one.number, one.image_key) for one in found.entities.values() if one.key.endswith(".json")}
    assert got == {
        "datasets/20001": (None, ""),
        SELF: (None, ""),
        f"{SELF}/tiltseries/10301": (None, f"{RUN}/TiltSeries/TS_1.mrc"),
        f"{SELF}/spacings/13.480/tomograms/,,raw,,10301": (None, f"{older}/CanonicalTomogram/TS_1.mrc"),
        f"{SELF}/spacings/13.480/annotations/@100": (100, ""),
        f"{SELF}/spacings/13.480/annotations/@101": (101, ""),
    }
    incomplete = "depositions_metadata/10301/deposition_metadata.json"
    assert problems(found) == [("incomplete", incomplete)]


@pytest.mark.parametrize(
    "written",
    [
        f"s3://some-bucket/{ALIGNMENT}",
        f"some-bucket/{ALIGNMENT}",
        f"https://files.example.org/{ALIGNMENT}",
        f"{RUN}/Alignments/100",
        f"{RUN}/Alignments/100/",
    ],
)
def test_all_ways_to_write_an_alignment_are_one(tmp_path: Path, written: str) -> None:
    write_layout(tmp_path)
    put(tmp_path, TOMOGRAM, tomogram(alignment_metadata_path=written))
    found = read_layout(tmp_path)
    made = next(one for one in found.entities.values() if one.type == "tomogram")
    assert made.alignment == ALIGNMENT
    assert problems(found) == []


def test_what_is_missing_stray_unlinked_or_twice_is_said(tmp_path: Path) -> None:
    write_layout(tmp_path)
    (tmp_path / f"{SPACING}/Annotations/100/ribosome-1.0_point.ndjson").unlink()
    (tmp_path / f"{RUN}/run_metadata.json").unlink()
    put(tmp_path, f"{SPACING}/Annotations/100/ribosome-1.0_segmentationmask.mrc", b"mask")
    put(tmp_path, f"{RUN}/notes/today.txt", "text")
    put(tmp_path, "somewhere/else/readme.txt", "text")
    put(tmp_path, f"{SPACING}/Tomograms/101/tomogram_metadata.json", tomogram(omezarr_dir=None))
    put(
        tmp_path,
        f"{SPACING}/Tomograms/102/tomogram_metadata.json",
        tomogram(alignment_metadata_path="x", omezarr_dir=""),
    )
    found = read_layout(tmp_path)
    assert sorted(problems(found)) == [
        ("duplicate", f"{SPACING}/Tomograms/101/tomogram_metadata.json"),
        ("incomplete", f"{SPACING}/Annotations/100/ribosome-1.0_point.ndjson"),
        ("incomplete", f"{RUN}/run_metadata.json"),
        ("unlinked", f"{SPACING}/Tomograms/102/tomogram_metadata.json"),
        ("unmentioned", f"{SPACING}/Annotations/100/ribosome-1.0_segmentationmask.mrc"),
        ("unmentioned", f"{RUN}/notes/today.txt"),
        ("unmentioned", "somewhere/else/readme.txt"),
    ]
    assert found.entities[f"{TOMOGRAM_IDENTITY}#101"].number == 101
    assert found.entities[TOMOGRAM_IDENTITY].number == 100


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (b"{", "broken", "this is no JSON"),
        (b"\xff\xfe\x00", "broken", "no UTF-8"),
        (b"[" * 100_000, "broken", "nested too deeply"),
        (b'{"a":' * 80 + b"1" + b"}" * 80, "broken", "nested more than 64 levels"),
        (b'{"a": NaN}', "broken", "NaN"),
        (b'{"a": 1e999}', "broken", "beyond what a computer can hold"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "broken", "endless number"),
        (b'{"a": "\\u0000"}', "broken", "NUL"),
        (b'{"a": "\\ud800"}', "broken", "half a character"),
        (b"[1, 2]", "broken", "a metadata document is a mapping"),
        (b"null", "broken", "a metadata document is a mapping"),
        (b"", "broken", "this is no JSON"),
    ],
)
def test_a_hostile_document_is_a_problem_and_the_others_go_on(
    tmp_path: Path, content: bytes, kind: str, said: str
) -> None:
    write_layout(tmp_path)
    put(tmp_path, TOMOGRAM, content)
    found = read_layout(tmp_path)
    problem = next(one for one in found.all_problems if one.key == TOMOGRAM)
    assert problem.kind == kind
    assert said in problem.reason
    types = {one.type for one in found.entities.values()}
    assert "tomogram" not in types
    assert {"annotation", "alignment", "tiltseries"} <= types


@pytest.mark.parametrize(
    "document",
    [
        {"annotation_object": [], "files": "none", "deposition_id": [], "annotation_ingest_id": {"a": 1}},
        {"annotation_object": None, "files": [None, 1, {"path": 7, "shape": {}}], "deposition_id": True},
        {"annotation_object": {"name": 1}, "files": [{"path": "../../../etc/passwd", "shape": "Point"}]},
        {"annotation_object": {}, "alignment_metadata_path": "../" * 100, "last_updated_at": "now"},
        {"annotation_object": {}, "alignment_metadata_path": 7, "deposition_id": 10**30, "version": []},
    ],
)
def test_values_of_wrong_types_never_stop_the_reading(tmp_path: Path, document: object) -> None:
    write_layout(tmp_path)
    put(tmp_path, ANNOTATION, document)
    found = read_layout(tmp_path)
    made = [one for one in found.entities.values() if one.type == "annotation"]
    assert [one.number for one in made] == [100]
    assert made[0].files == ()
    assert "tomogram" in {one.type for one in found.entities.values()}


def test_an_identity_beyond_any_index_is_refused(tmp_path: Path) -> None:
    write_layout(tmp_path)
    put(tmp_path, TOMOGRAM, tomogram(processing="x" * 10_000))
    assert problems(read_layout(tmp_path))[0] == ("broken", TOMOGRAM)


def test_a_document_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    write_layout(tmp_path)
    with (tmp_path / TOMOGRAM).open("wb") as stream:
        stream.truncate((64 << 20) + 1)
    found = read_layout(tmp_path)
    assert "67,108,864 bytes" in next(one.reason for one in found.all_problems if one.key == TOMOGRAM)


def test_links_in_circles_end(tmp_path: Path) -> None:
    write_layout(tmp_path)
    (tmp_path / RUN / "Gains/again").symlink_to(tmp_path / RUN)
    found = read_layout(tmp_path)
    assert len(found.entities) < 100


def test_a_dataset_a_run_and_an_empty_folder_are_no_top(tmp_path: Path) -> None:
    write_layout(tmp_path / "top")
    with pytest.raises(InvalidRequestError, match="this is a dataset"):
        read_layout(tmp_path / "top/20001")
    with pytest.raises(InvalidRequestError, match="this is a run"):
        read_layout(tmp_path / "top" / RUN)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFoundError, match="no metadata document"):
        read_layout(tmp_path / "empty")
    with pytest.raises(NotFoundError, match="no such folder"):
        read_layout(tmp_path / "nowhere")


def test_many_runs_are_found_in_their_order(tmp_path: Path) -> None:
    found = read_layout(write_runs(tmp_path, 100), readers=4)
    runs = [one.identity for one in found.entities.values() if one.type == "run"]
    assert runs == sorted(f"datasets/20002/runs/TS_{number}" for number in range(100))
    assert problems(found) == []
