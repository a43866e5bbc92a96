"""``coverslip ingest apply`` as a person runs it."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.test_commands import Shell
from tests.ingest.deposition.session import write_session

SIDES = ("--input", "in", "--output", "layout", "--no-views")


@pytest.fixture
def run(tmp_path: Path) -> Shell:
    write_session(tmp_path / "in", ("TS_1",))
    return Shell(tmp_path / "home")


def summary(text: str) -> list[str]:
    lines = [
        line for line in text.splitlines() if "warning" not in line and not line.startswith(("written", "updated"))
    ]
    return [re.sub(r"in \d+\.\d s|\d+(\.\d)? (B|KiB|MiB)\b", "~", line) for line in lines]


def test_what_was_done_is_said_step_by_step_and_in_sum(run: Shell, tmp_path: Path) -> None:
    text = run("ingest", "apply", "in/deposition.yaml", *SIDES)
    assert summary(text) == [
        "planned: 23 steps for 14 entities in 1 run",
        "23 steps: 23 written, 0 updated, 0 unchanged, 0 failed, 0 skipped; ~",
        "54 objects written, ~; 3 source volumes and 12 other files opened, ~ read",
        "catalog: 14 added, 0 changed, 0 same",
    ]
    said = "written   datasets/30001/runs/TS_1/gains/gain.txt#gain: 1 object, 12 B, "
    assert any(line.startswith(said) for line in text.splitlines())
    assert (tmp_path / "layout/30001/TS_1/run_metadata.json").is_file()
    assert summary(run("ingest", "apply", "in/deposition.yaml", *SIDES)) == [
        "planned: 23 steps for 14 entities in 1 run",
        "23 steps: 0 written, 0 updated, 23 unchanged, 0 failed, 0 skipped; ~",
        "0 objects written, ~; 0 source volumes and 0 other files opened, ~ read",
        "catalog: 0 added, 0 changed, 14 same",
    ]


def test_a_part_that_fails_is_said_and_in_the_exit_code(run: Shell, tmp_path: Path) -> None:
    (tmp_path / "in/session/TS_1/dots.csv").write_text("1,2,nowhere\n")
    text = run("ingest", "apply", "in/deposition.yaml", *SIDES, "--only", "annotation", "--no-mrc", code=1)
    (line,) = (line for line in text.splitlines() if line.startswith("failed"))
    assert "annotations/10301/dots/100#points:Point: " in line
    assert "dots.csv" in line
    assert "6 steps: 4 written, 0 updated, 0 unchanged, 1 failed, 1 skipped" in text
    assert not list((tmp_path / "layout").rglob("*.mrc"))


def test_json_says_the_same(run: Shell) -> None:
    found = json.loads(run("ingest", "apply", "in/deposition.yaml", *SIDES, "--json", "--only", "run"))
    assert found["counts"] == {"written": 1}
    assert (found["objects_written"], found["is_whole"], found["held"]) == (1, True, [])
    assert "views" not in found
    assert [step["name"] for step in found["steps"]] == ["datasets/30001/runs/TS_1#document"]
    assert found["changes"]["added"] == ["datasets/30001/runs/TS_1"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--no-mrc", "--no-zarr"), "volumes have to be written as something"),
        (("--zarr-version", "0.3"), "expected 0.4 or 0.5, found '0.3'"),
        (("--only", "tomogramm"), "there is no type 'tomogramm'"),
    ],
)
def test_what_cannot_begin(run: Shell, tmp_path: Path, options: tuple[str, ...], sentence: str) -> None:
    assert sentence in run("ingest", "apply", "in/deposition.yaml", *SIDES, *options, code=2)
    assert not (tmp_path / "layout").exists()


def test_a_config_with_errors_is_not_begun(run: Shell, tmp_path: Path) -> None:
    config = tmp_path / "in/deposition.yaml"
    config.write_text(config.read_text().replace("dataset_title: Yeast\n", ""))
    assert "nothing is planned" in run("ingest", "apply", "in/deposition.yaml", *SIDES, code=1)
    assert not (tmp_path / "layout").exists()
