"""``coverslip ingest example`` as a person runs it."""

import shlex
from pathlib import Path

import pytest

from tests.cli.test_commands import Shell


@pytest.fixture
def run(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


def test_the_example_is_written_and_what_it_says_next_can_be_run(run: Shell, tmp_path: Path) -> None:
    lines = run("ingest", "example", "my example", "--size", 32).splitlines()
    assert lines[0] == "  made input/lab-2026-03/90101/TS_01"
    assert lines[9:11] == ["  made annotations.yaml", "Next:"]
    check, plan, apply = (shlex.split(line) for line in lines[11:14])
    assert check == ["coverslip", "ingest", "check", "my example/deposition.yaml", "--input", "my example/input"]
    for command, line in (("plan", plan), ("apply", apply)):
        assert line[2] == command
        assert line[3:] == [*check[3:], "--output", "my example/library"]
    assert "1 valid, 0 with errors, 0 warnings" in run(*check[1:])
    assert (tmp_path / "my example/annotations.yaml").is_file()


def test_a_folder_with_something_in_it_is_left_alone(run: Shell, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes.txt").write_text("mine")
    assert "there is something in this folder" in run("ingest", "example", "there", code=2)
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(("size", "limit"), [(31, "32"), (2000, "1024")])
def test_sizes_have_limits(size: int, limit: str, run: Shell, tmp_path: Path) -> None:
    assert f"equal to {limit}" in run("ingest", "example", "there", "--size", size, code=2)
    assert not (tmp_path / "there").exists()
