"""``coverslip ingest check`` as a person runs it."""

import json
import re
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


def test_ingest_alone_says_what_it_can(run: Shell) -> None:
    assert "check" in run("ingest", "--help")
    assert "FILE" in run("ingest", "check", "--help")
