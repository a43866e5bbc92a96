"""``coverslip ingest check`` and ``coverslip ingest plan`` as a person runs them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import Shell
from tests.ingest.deposition.configs import SMALL, with_text


@pytest.fixture
def run(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


def without_time(text: str) -> str:
    return re.sub(r"in \d+\.\d s", "in a moment", text)


def test_a_valid_config(run: Shell, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(SMALL)
    assert without_time(run("ingest", "check", "c.yaml")) == (
        "1 file: 1 valid, 0 with errors, 0 warnings, in a moment\n"
    )


def test_problems_come_with_their_places_errors_first(run: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    (folder / "a.yaml").write_text(with_text("    version: 1.0\n", ""))
    (folder / "b.yml").write_text(with_text("processing: raw", "processing: wat"))
    (folder / "notes.txt").write_text("not a config")
    assert without_time(run("ingest", "check", "configs", code=1)).splitlines() == [
        "configs/b.yml:41: tomograms[0].metadata.processing: Expected raw, filtered or denoised, found the text 'wat'.",
        "configs/a.yaml:50: annotations[0].metadata: warning: The annotation has no version; 1.0 is taken.",
        "2 files: 1 valid, 1 with errors, 1 warning, in a moment",
    ]


def test_what_cannot_be_opened(run: Shell, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(SMALL)
    text = run("ingest", "check", "c.yaml", "none.yaml", code=2)
    assert "none.yaml: It cannot be opened: No such file or directory." in text
    assert "2 files: 1 valid, 1 with errors" in text


def test_json_says_the_same(run: Shell, tmp_path: Path) -> None:
    text = with_text("voxel_spacing: 10.0", "voxel_spacing: float {spacing}")
    text = with_text("  source_prefix: lab/session\n", "  source_prefix: lab\n  run_data_map_file: runs.tsv\n", text)
    (tmp_path / "c.yaml").write_text(text)
    (tmp_path / "data" / "lab").mkdir(parents=True)
    (tmp_path / "data" / "lab" / "runs.tsv").write_text("run_name\tspacing\nTS_1\tten\n")
    found = json.loads(run("ingest", "check", "c.yaml", "--input", "data", "--json", code=1))
    assert (found["valid"], found["with_errors"], found["warnings"]) == (0, 1, 0)
    (problem,) = found["files"][0]["problems"]
    assert (problem["file"], problem["line"], problem["severity"]) == ("data/lab/runs.tsv", 2, "error")


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Return a folder with the small config and two runs."""
    (tmp_path / "c.yaml").write_text(SMALL)
    for name in ("runs/TS_1/a.mrc", "runs/TS_2/c.mrc", "points/TS_1.csv"):
        path = tmp_path / "in" / "lab" / "session" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


SIDES = ("c.yaml", "--input", "in", "--output", "out")


def test_a_plan_by_run(run: Shell, session: Path) -> None:
    assert run("ingest", "plan", *SIDES).splitlines() == [
        "depositions_metadata/10001: write 1 deposition",
        "10002/TS_1: write 1 run, 1 alignment, 1 tomogram, 1 annotation",
        "10002/TS_2: write 1 run, 1 alignment, 1 tomogram",
        "11 steps, 13 files: 11 to write, 0 to update, 0 unchanged, 0 skipped; nothing is removed",
    ]
    assert not (session / "out").exists()


def test_a_plan_of_a_part_names_its_files(run: Shell, session: Path) -> None:
    assert run("ingest", "plan", *SIDES, "--only", "tomogram", "--exclude", "run=TS_1", "--files").splitlines() == [
        "skipped 1 run: its run fits --exclude TS_1 (10002/TS_1: TS_1)",
        "10002/TS_2: write 1 tomogram",
        "  write           10002/TS_2/Reconstructions/VoxelSpacing10.000/Tomograms/100/TS_2.zarr",
        "  write           10002/TS_2/Reconstructions/VoxelSpacing10.000/Tomograms/100/TS_2.mrc",
        "  write           10002/TS_2/Reconstructions/VoxelSpacing10.000/Tomograms/100/tomogram_metadata.json",
        "2 steps, 3 files: 2 to write, 0 to update, 0 unchanged, 1 skipped; nothing is removed",
    ]


def test_a_plan_says_what_is_there_and_what_is_left_alone(run: Shell, session: Path) -> None:
    for name in ("TS_1", "TS_8", "TS_9"):
        path = session / "out" / "10002" / name / "run_metadata.json"
        path.parent.mkdir(parents=True)
        path.write_text('{"run_name": "x", "deposition_id": 10001}')
    assert run("ingest", "plan", *SIDES, "--metadata-only").splitlines() == [
        "depositions_metadata/10001: write 1 deposition",
        "10002/TS_1: write 1 alignment, 1 tomogram, 1 annotation; update 1 run",
        "10002/TS_2: write 1 run, 1 alignment, 1 tomogram",
        "10002/TS_8: not in this config, left alone: 1 run",
        "10002/TS_9: not in this config, left alone: 1 run",
        "8 steps, 8 files: 7 to write, 1 to update, 0 unchanged, 0 skipped; nothing is removed",
    ]


def test_a_plan_with_errors_says_everything_else_too(run: Shell, session: Path) -> None:
    (session / "in" / "lab" / "session" / "runs" / "TS_1" / "b.mrc").touch()
    lines = run("ingest", "plan", *SIDES, code=1).splitlines()
    assert lines[0].startswith("c.yaml:35: tomograms[0]: runs/TS_1/a.mrc and runs/TS_1/b.mrc of 10002/TS_1/")
    assert "10002/TS_2: write 1 run, 1 alignment, 1 tomogram" in lines


def test_a_plan_as_json(run: Shell, session: Path) -> None:
    found = json.loads(run("ingest", "plan", *SIDES, "--json"))
    assert (found["write"], found["update"], found["removed"]) == (11, 0, [])
    (annotation,) = [one for one in found["targets"] if one["type"] == "annotation"]
    assert annotation["identity"] == "datasets/10002/runs/TS_1/spacings/10.000/annotations/10001/ribosome-1/100"
    (points,) = [one for one in found["steps"] if one["recipe"] == "points"]
    assert points["inputs"] == [{"path": "points/TS_1.csv", "side": "source"}]
    assert (points["state"], points["target"]) == ("write", annotation["identity"])


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("--only", "tomogramm"), 2, "there is no type 'tomogramm'. Did you mean 'tomogram'?"),
        (("--filter", "run"), 2, "expected TYPE=regex, found 'run'"),
        (("--input", "none"), 2, "there is no folder none"),
    ],
)
def test_a_plan_that_makes_no_sense(
    run: Shell, session: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    assert sentence in run("ingest", "plan", *SIDES, *words, code=code)
    assert (session / "c.yaml").exists()


def test_a_plan_of_an_invalid_config_is_none(run: Shell, session: Path) -> None:
    (session / "c.yaml").write_text(with_text("processing: raw", "processing: wat"))
    assert run("ingest", "plan", *SIDES, code=1).splitlines() == [
        "c.yaml:41: tomograms[0].metadata.processing: Expected raw, filtered or denoised, found the text 'wat'.",
        "c.yaml: 1 error, nothing is planned",
    ]
    assert "cannot be opened" in run("ingest", "plan", "none.yaml", *SIDES[1:], code=2)


def test_a_check_does_without_numpy_and_the_catalog() -> None:
    code = "import sys, coverslip.cli.ingest; print({'numpy', 'sqlalchemy', 'zarr'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "set()"


def test_ingest_alone_says_what_it_can(run: Shell) -> None:
    assert "check" in run("ingest", "--help")
    assert "FILE" in run("ingest", "check", "--help")
