"""``coverslip import`` as a person runs it."""

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import Shell
from tests.ingest.importing.layouts import TOMOGRAM, put, write_layout


@pytest.fixture
def run(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return write_layout(tmp_path / "portal")


def test_a_layout_is_imported_and_then_unchanged(run: Shell, top: Path) -> None:
    lines = run("import", "portal").splitlines()
    assert lines[0] == f"{top}: 22 files listed."
    assert "  tomogram             1 added" in lines
    assert lines[-1] == "Images: 2 added."
    again = json.loads(run("import", "portal/", "--json"))
    assert again["entities"]["annotation"] == {"unchanged": 1}
    assert (again["images"], again["images_opened"], again["whole"], again["problems"]) == (
        {"unchanged": 2},
        0,
        True,
        [],
    )


def test_what_could_not_be_read_is_named_and_the_code_says_so(run: Shell, top: Path) -> None:
    put(top, TOMOGRAM, "{\n")
    text = run("import", "portal", code=1)
    assert f"Broken: 1\n  {TOMOGRAM}: line 2: this is no JSON" in text
    assert json.loads(run("import", "portal", "--json", code=1))["problems"][0]["kind"] == "broken"


@pytest.mark.parametrize(
    ("prefix", "said"),
    [
        ("portal/20001", "this is a dataset. Import the folder that it lies in"),
        ("nowhere", "there is no such folder"),
        ("home", "there is no such folder"),
        ("https://example.org/portal", "a web server does not list its files"),
    ],
)
@pytest.mark.usefixtures("top")
def test_what_is_no_layout_begins_nothing(run: Shell, prefix: str, said: str) -> None:
    run.environment["COVERSLIP_REMOTE_ALLOWED"] = "https://example.org"
    assert said in run("import", prefix, code=2)
    assert not (run.folder / "home" / "catalog.sqlite").exists()
