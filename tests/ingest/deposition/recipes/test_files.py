"""Copies and tables."""

import json

import pytest

from coverslip.ingest.deposition.recipes import copying
from tests.ingest.deposition.recipes.bench import FOLDER, Bench


@pytest.mark.parametrize("size", [0, 10, 11, 35])
def test_a_copy_has_the_same_bytes_however_large(bench: Bench, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "AT_ONCE", 10)
    monkeypatch.setattr(copying, "BLOCK", 7)
    content = bytes(range(size))
    bench.put("frames/a.tif", content)
    assert bench.do("copy", ["frames/a.tif"], ["a.tif"]) == {"path": f"{FOLDER}/a.tif"}
    assert bench.read("a.tif") == content


def test_a_run_gets_its_rows_of_a_table(bench: Bench) -> None:
    text = 'run_name,object_id,object_name\nTS_1,GO:1,"a, b"\nTS_2,GO:2,c\nTS_1,GO:3,\n'
    bench.put("o.csv", text)
    facts = bench.do("identified_objects", ["o.csv"], ["o.json"], run_name="TS_1")
    assert json.loads(bench.read("o.json")) == [
        {"object_id": "GO:1", "object_name": "a, b"},
        {"object_id": "GO:3", "object_name": None},
    ]
    assert facts == {
        "object_count": 2,
        "columns": ["object_id", "object_name"],
        "file_format": "json",
        "source_file": "o.csv",
    }


def test_a_run_may_have_another_name_in_a_table(bench: Bench) -> None:
    bench.put("o.csv", "run_name,object_id\nTS_1,GO:1\nposition_1,GO:2\n")
    bench.do("identified_objects", ["o.csv"], ["o.json"], run_name="TS_1", filter_value="position_1")
    assert json.loads(bench.read("o.json")) == [{"object_id": "GO:2"}]


def test_a_table_without_names_of_runs_is_of_one(bench: Bench) -> None:
    bench.put("o.csv", "object_id\nGO:1\n\nGO:2\n")
    assert bench.do("identified_objects", ["o.csv"], ["o.json"], run_name="TS_1")["object_count"] == 2


@pytest.mark.parametrize("text", ["", "a,a\n1,2\n", "a,\n1,2\n", "a,b\n1\n", 'a\n"1\n'])
def test_a_table_that_is_none_fails(bench: Bench, text: str) -> None:
    bench.put("o.csv", text)
    assert "o.csv" in bench.fails("identified_objects", ["o.csv"], ["o.json"], run_name="TS_1")
