"""What a destination of an ingest holds already: numbers stay with what they were given to."""

from pathlib import Path

from coverslip.ingest.importing import known_at
from tests.ingest.importing.layouts import SPACING, TOMOGRAM, put, write_layout, write_runs

SELF = "datasets/20001/runs/TS_1"


def test_numbers_and_documents_are_those_of_the_layout(tmp_path: Path) -> None:
    known, problems = known_at(write_layout(tmp_path))
    assert problems == ()
    assert known.numbers == {
        "20001/TS_1/TiltSeries": {f"{SELF}/tiltseries/10301": 100},
        "20001/TS_1/Alignments": {f"{SELF}/alignments/10301": 100},
        f"{SPACING}/Tomograms": {f"{SELF}/spacings/13.480/tomograms/100,WBP,raw,tomo3D,10301": 100},
        f"{SPACING}/Annotations": {f"{SELF}/spacings/13.480/annotations/10302/ribosome/100": 100},
    }
    assert known.keys["datasets/20001"] == "20001/dataset_metadata.json"
    assert known.owners[f"{SELF}/spacings/13.480/annotations/10302/ribosome/100"] == "10302"


def test_the_number_of_a_folder_nobody_can_tell_of_is_taken(tmp_path: Path) -> None:
    write_layout(tmp_path)
    put(tmp_path, TOMOGRAM, b"{")
    put(tmp_path, f"{SPACING}/Tomograms/107/TS_1.mrc", b"mrc")
    known, problems = known_at(tmp_path)
    assert [(one.key, one.kind) for one in problems] == [(TOMOGRAM, "broken")]
    assert known.taken[f"{SPACING}/Tomograms"] == frozenset({100, 107})
    assert f"{SPACING}/Tomograms" not in known.numbers


def test_only_the_folders_asked_for_are_looked_at(tmp_path: Path) -> None:
    write_layout(tmp_path)
    write_runs(tmp_path, 2)
    known, _ = known_at(tmp_path, ["20002/TS_1", "20009"])
    assert known.keys == {"datasets/20002/runs/TS_1": "20002/TS_1/run_metadata.json"}


def test_what_is_not_there_yet_holds_nothing(tmp_path: Path) -> None:
    known, problems = known_at(tmp_path / "new")
    assert (known.numbers, known.taken, known.keys, problems) == ({}, {}, {}, ())
