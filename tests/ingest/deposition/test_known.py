"""What documents at a destination say of numbers."""

from pathlib import Path
from typing import Any

import pytest

from coverslip.ingest.deposition.identities import alignment_name
from coverslip.ingest.deposition.known import Known, Numbers, known_numbers
from coverslip.ingest.deposition.sides import read_destination
from tests.ingest.deposition.planned import planned

RUN = "30001/RUN1"
IDENTITY = "datasets/30001/runs/RUN1"
SPACING = f"{RUN}/Reconstructions/VoxelSpacing12.300"


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("30001/RUN1/Alignments/100/alignment_metadata.json", "100"),
        ("/30001/RUN1/Alignments/100/alignment_metadata.json", "100"),
        ("test-public-bucket/30001/RUN1/Alignments/101/alignment_metadata.json", "101"),
        ("s3://bucket/30001/RUN1/Alignments/100/alignment_metadata.json", "100"),
        ("https://example.org/30001/RUN1/Alignments/100/alignment_metadata.json", "100"),
        ("Alignments/100/alignment_metadata.json", "100"),
        ("foo", "foo"),
        (
            "30001/RUN1/OldAlignments/100/alignment_metadata.json",
            "30001/RUN1/OldAlignments/100/alignment_metadata.json",
        ),
        (None, ""),
        (7, ""),
    ],
)
def test_an_alignment_is_called_by_its_number_however_its_path_is_written(path: object, name: str) -> None:
    assert alignment_name(path) == name


def test_documents_say_what_has_which_number() -> None:
    alignment = f"{RUN}/Alignments/100/alignment_metadata.json"
    documents: dict[str, dict[str, Any]] = {
        f"{RUN}/run_metadata.json": {"run_name": "RUN1", "deposition_id": 300},
        f"{RUN}/TiltSeries/100/tiltseries_metadata.json": {"deposition_id": 300},
        alignment: {"deposition_id": "300", "alignment_path": None, "per_section_alignment_parameters": []},
        f"{SPACING}/Tomograms/100/tomogram_metadata.json": {
            "deposition_id": 300,
            "alignment_metadata_path": f"bucket/{alignment}",
            "reconstruction_method": "WBP",
            "processing": "raw",
            "processing_software": None,
        },
        f"{SPACING}/Annotations/102/foo-1.0.json": {
            "deposition_id": 301,
            "alignment_metadata_path": alignment,
            "annotation_ingest_id": "foo-1",
        },
        "notes/something.json": {"deposition_id": 300},
    }
    known = known_numbers(documents)
    assert known.numbers == {
        f"{RUN}/TiltSeries": {f"{IDENTITY}/tiltseries/300": 100},
        f"{RUN}/Alignments": {f"{IDENTITY}/alignments/300": 100},
        f"{SPACING}/Tomograms": {f"{IDENTITY}/spacings/12.300/tomograms/100,WBP,raw,,300": 100},
        f"{SPACING}/Annotations": {f"{IDENTITY}/spacings/12.300/annotations/301/foo-1/100": 102},
    }
    assert known.owners[IDENTITY] == "300"
    assert known.defaults == {f"{RUN}/Alignments": f"{IDENTITY}/alignments/300"}
    assert known.identity(f"{RUN}/Alignments", 100) == f"{IDENTITY}/alignments/300"
    assert known.identity(f"{RUN}/Alignments", 101) is None


def test_an_alignment_with_a_file_does_something() -> None:
    document: dict[str, Any] = {"deposition_id": 300, "alignment_path": "x.xf", "per_section_alignment_parameters": []}
    assert known_numbers({f"{RUN}/Alignments/100/alignment_metadata.json": document}).defaults == {}


def test_folders_that_say_nothing_of_themselves_keep_their_numbers() -> None:
    one: dict[str, Any] = {"deposition_id": 300, "annotation_ingest_id": "foo-1"}
    documents = {
        f"{SPACING}/Annotations/100/foo-1.0.json": one,
        f"{SPACING}/Annotations/101/foo-1.0.json": one,
        f"{SPACING}/Annotations/102/old-1.0.json": {"deposition_id": 300},
    }
    keys = [*documents, f"{SPACING}/Annotations/107/half-1.0_point.ndjson"]
    known = known_numbers(documents, keys)
    parent = f"{IDENTITY}/spacings/12.300/annotations"
    container = f"{SPACING}/Annotations"
    assert known.numbers[container] == {f"{parent}/300/foo-1/": 100, f"{parent}/@102": 102}
    assert known.taken[container] == {100, 101, 102, 107}
    numbers = Numbers(known)
    assert numbers.of(container, f"{parent}/300/foo-1/") == 100
    assert [numbers.of(container, name) for name in ("a", "b", "a")] == [108, 109, 108]


def test_an_empty_folder_begins_with_one_hundred() -> None:
    numbers = Numbers(Known())
    assert [numbers.of("x", "a"), numbers.of("x", "b"), numbers.of("y", "b")] == [100, 101, 100]


@pytest.mark.samples
def test_the_sample_of_the_portal(samples: Path) -> None:
    if not (samples / "portal").is_dir():
        pytest.skip("no samples of the portal")
    held = read_destination(samples / "portal", ["30001", "depositions_metadata/300"])
    assert held.problems == ()
    assert held.known.numbers == {
        f"{RUN}/TiltSeries": {f"{IDENTITY}/tiltseries/300": 100},
        "30001/RUN3/TiltSeries": {"datasets/30001/runs/RUN3/tiltseries/300": 100},
        f"{RUN}/Alignments": {f"{IDENTITY}/alignments/300": 100},
        f"{SPACING}/Tomograms": {f"{IDENTITY}/spacings/12.300/tomograms/100,WBP,raw,tomo3D,300": 100},
        "30001/RUN2/Reconstructions/VoxelSpacing3.456/Tomograms": {
            "datasets/30001/runs/RUN2/spacings/3.456/tomograms/foo,SART,filtered,,300": 100
        },
        f"{SPACING}/Annotations": {f"{IDENTITY}/spacings/12.300/annotations/301/100-foo-1.0/100": 100},
    }
    assert held.known.keys["depositions/300"] == "depositions_metadata/300/deposition_metadata.json"


def test_a_plan_and_its_own_documents_agree_on_every_identity() -> None:
    plan = planned()
    documents = {}
    for one in plan.steps:
        if one.recipe == "document":
            said = {**one.options["metadata"], **one.options["derived"]}
            documents[one.outputs[0]] = {**said, "deposition_id": one.options["deposition_id"]}
    known = known_numbers(documents)
    described = {target.identity: target.document for target in plan.targets if target.document}
    assert dict(known.keys) == described
    assert {identity: number for some in known.numbers.values() for identity, number in some.items()} == {
        target.identity: target.number for target in plan.targets if target.number is not None
    }
