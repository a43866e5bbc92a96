"""Tables of runs, and the names that templates take from them."""

from pathlib import Path

import pytest

from coverslip.ingest.deposition import Checked, check
from coverslip.ingest.deposition.maps import MapError, RunMaps, parse_map
from tests.ingest.deposition.configs import said, with_text

WITH_MAP = with_text(
    "  source_prefix: lab/session\n", "  source_prefix: lab/session\n  run_data_map_file: maps/runs.csv\n"
)
ASKING = with_text("voxel_spacing: 10.0", "voxel_spacing: float {spacing}", WITH_MAP)


def checked(tmp_path: Path, text: str, table: str | None, below: str = "maps/runs.csv") -> Checked:
    (tmp_path / "c.yaml").write_text(text)
    if table is not None:
        path = tmp_path / below
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(table)
    return check(tmp_path / "c.yaml", folder=tmp_path / "input")


def test_a_table_has_a_row_for_each_run() -> None:
    table, problems = parse_map("run_name,a,b\nTS_1, x ,2\n\nTS_2,y\n", "m.csv", "")
    assert problems == []
    assert table.columns == ("run_name", "a", "b")
    assert table.rows["TS_1"] == (2, {"run_name": "TS_1", "a": "x", "b": "2"})
    assert table.rows["TS_2"] == (4, {"run_name": "TS_2", "a": "y", "b": ""})
    tabs, _ = parse_map("run_name\ta,b\nTS_1\tx\n", "m.tsv", "")
    assert tabs.columns == ("run_name", "a,b")


def test_two_columns_need_no_header() -> None:
    table, problems = parse_map("TS_1,folder/a.rec\nTS_2\n", "m.csv", "mapped_tomo_name")
    assert table.rows["TS_1"][1]["mapped_tomo_name"] == "folder/a.rec"
    assert [str(problem) for problem in problems] == [
        "m.csv:2: The line needs two cells: the run and what it is mapped to."
    ]
    assert RunMaps({"run_to_tomo_map_csv": table}).row("TS_1")["mapped_tomo_name"] == "folder/a.rec"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "run_name,a\nx,1\nx,2\n",
            "m.csv:3: The run 'x' has a row in line 2 already, with other values; line 2 counts.",
        ),
        ("run_name,a\nx,1\nx,1,\n", "m.csv:3: warning: The run 'x' has a row in line 2 already, with the same values."),
        ("run_name,a\n,1\n", "m.csv:2: The line has no run name."),
        ("run_name,a\nx,1,2\n", "m.csv:2: The line has 3 cells, and there are 2 columns."),
        ("run_name,a,a\nx,1,2\n", "m.csv:1: a: The column 'a' stands here twice."),
    ],
)
def test_what_is_wrong_in_a_table(text: str, expected: str) -> None:
    assert [str(problem) for problem in parse_map(text, "m.csv", "")[1]] == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "empty"), ("run,a\nx,1\n", "no column 'run_name'"), ("run_name," + "x" * 200_000 + "\n", "no table")],
)
def test_what_is_no_table(text: str, expected: str) -> None:
    with pytest.raises(MapError, match=expected):
        parse_map(text, "m.csv", "")


@pytest.mark.parametrize("below", ["maps/runs.csv", "input/maps/runs.csv", "input/lab/session/maps/runs.csv"])
def test_a_map_lies_with_the_config_or_with_the_input(tmp_path: Path, below: str) -> None:
    assert said(checked(tmp_path, ASKING, "run_name,spacing\nTS_1,10\n", below)) == []


def test_a_missing_map_is_a_warning_and_the_check_is_said_to_be_skipped(tmp_path: Path) -> None:
    (warning,) = said(checked(tmp_path, ASKING, None))
    assert warning.startswith(f"{tmp_path}/c.yaml:5: standardization_config.run_data_map_file: warning: ")
    assert warning.endswith("The map 'maps/runs.csv' is not here. The check of spacing was skipped.")
    (warning,) = said(checked(tmp_path, WITH_MAP, None))
    assert warning.endswith("None of its columns is asked for.")


def test_a_column_that_is_not_there(tmp_path: Path) -> None:
    (problem,) = said(checked(tmp_path, ASKING, "run_name,spacings\nTS_1,10\n"))
    assert problem.startswith(
        f"{tmp_path}/c.yaml:46: tomograms[0].metadata.voxel_spacing: Nothing is called 'spacing' here"
    )
    assert problem.endswith("has no such column. Did you mean 'spacings'?")


def test_cells_that_are_no_number_are_named_by_their_line(tmp_path: Path) -> None:
    table = "run_name,spacing\nTS_1,10\nTS_2,ten\nTS_3,\nTS_4,\n"
    error, warning = said(checked(tmp_path, ASKING, table))
    assert error == (
        f"{tmp_path}/maps/runs.csv:3: spacing: 'ten' is no number, and 'float {{spacing}}' of tomograms.voxel_spacing "
        "asks for one (run 'TS_2')."
    )
    assert "warning: The map says nothing in column 'spacing' about 'TS_3' and 1 more" in warning


def test_runs_that_are_left_out_may_have_empty_cells(tmp_path: Path) -> None:
    text = with_text(
        "- literal:\n      value: [10.0]",
        "- parent_filters: {exclude: {run: ['^TS_3$']}}\n    literal:\n      value: ['float {spacing}']",
        ASKING,
    )
    assert said(checked(tmp_path, text, "run_name,spacing\nTS_1,10\nTS_3,\n")) == []


def test_a_broken_map_is_an_error_of_its_own(tmp_path: Path) -> None:
    (problem,) = said(checked(tmp_path, ASKING, "run,spacing\nTS_1,10\n"))
    assert problem == f"{tmp_path}/maps/runs.csv: It has no column 'run_name'."
    (tmp_path / "maps" / "runs.csv").write_bytes(b"run_name\n\xff\n")
    (problem,) = said(check(tmp_path / "c.yaml"))
    assert problem == f"{tmp_path}/maps/runs.csv: It is no UTF-8 text from byte 9 on."


def test_a_map_outside_of_the_input_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("run_name,spacing\nTS_1,10\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "maps").symlink_to(tmp_path)
    (tmp_path / "sub" / "c.yaml").write_text(ASKING.replace("maps/runs.csv", "maps/secret.csv"))
    assert "is not here" in said(check(tmp_path / "sub" / "c.yaml"))[0]
    (tmp_path / "sub" / "c.yaml").write_text(ASKING.replace("maps/runs.csv", "../secret.csv"))
    assert "A map is named by its path below the source" in said(check(tmp_path / "sub" / "c.yaml"))[0]


def test_a_mapped_name_needs_its_map(tmp_path: Path) -> None:
    text = with_text("runs/{run_name}/*.mrc", "runs/{mapped_tomo_name}")
    (problem,) = said(checked(tmp_path, text, None))
    assert "Nothing is called 'mapped_tomo_name' here, and there is no run_data_map_file" in problem
    mapped = with_text("  source_prefix: lab/session\n", "  source_prefix: x\n  run_to_tomo_map_csv: t.csv\n", text)
    assert said(checked(tmp_path, mapped, "TS_1,a.mrc\n", "t.csv")) == []
    assert len(check(tmp_path / "c.yaml").errors) == 0
