from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import contest, table
from benchmarks.__main__ import PAGE, TABLES
from benchmarks.row import Row

ROW = Row(
    work="random plane",
    ours=1.234,
    unit="ms",
    limit=1.0,
    peers={"tifffile": 1.5, "bioio | dask": 2400.0},
    goal="within 1.3x of the limit",
    reached=True,
    note="open file",
)


def test_a_row_says_everything_in_both_forms() -> None:
    for text in (table.printed(ROW), table.markdown({"tiff": [ROW]})):
        for words in (
            "random plane",
            "1.23",
            "1.23x",
            "tifffile 1.5",
            "2,400",
            "within 1.3x of the limit",
            "open file",
        ):
            assert words in text
    assert table.markdown({"tiff": [ROW]}).splitlines()[-1].count("|") - 1 == 8  # one of them escaped


def test_a_goal_that_was_missed_stands_out() -> None:
    missed = replace(ROW, reached=False)
    assert "MISSED" in table.printed(missed)
    assert "**no**" in table.markdown({"tiff": [missed]})


def test_only_what_stands_between_the_marks_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    marks = [f"<!-- {name}: {end} -->" for name in ("one", "two") for end in ("begin", "end")]
    page.write_text("\nold\n".join(marks))
    table.put_into(page, "two", "new")
    table.put_into(page, "two", "newer")
    one, one_end, two, two_end = marks
    assert page.read_text() == f"{one}\nold\n{one_end}\nold\n{two}\n\nnewer\n\n{two_end}"
    with pytest.raises(ValueError, match="no place for the table 'three'"):
        table.put_into(page, "three", "new")


@pytest.mark.parametrize("name", TABLES)
def test_the_page_has_a_place_for_each_table(name: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(f"<!-- {name}: begin -->") == text.count(f"<!-- {name}: end -->") == 1


@pytest.mark.parametrize(
    ("taken", "of", "reached"),
    [
        ({"coverslip": 13.0, "limit": 10.0}, "limit", True),
        ({"coverslip": 13.1, "limit": 10.0}, "limit", False),
        ({"coverslip": 12.0, "limit": 1.0, "a": 10.0, "b": 50.0}, "best library", True),
        ({"coverslip": 14.0, "limit": 1.0, "a": 10.0, "b": 50.0}, "best library", False),
        ({"coverslip": 12.0, "a": 10.0, "b": 9.0}, "a", True),
        ({"coverslip": 12.0}, "a", False),  # a peer that is absent proves nothing
    ],
)
def test_whether_a_goal_in_time_is_reached(
    monkeypatch: pytest.MonkeyPatch, taken: dict[str, float], of: str, reached: bool
) -> None:
    monkeypatch.setattr(contest, "take_turns", lambda *_: taken)
    row = contest.timed("work", {}, within=1.3, of=of)
    assert row.reached is reached
    assert (row.ours, row.limit) == (taken["coverslip"], taken.get("limit"))
    assert row.peers == {name: ms for name, ms in taken.items() if name not in {"coverslip", "limit"}}


@pytest.mark.parametrize(("ours", "reached"), [(100.0, True), (101.0, False)])
def test_whether_a_goal_in_pieces_per_second_is_reached(
    monkeypatch: pytest.MonkeyPatch, ours: float, reached: bool
) -> None:
    monkeypatch.setattr(contest, "take_turns", lambda *_: {"coverslip": ours, "large_image": 20.0})
    row = contest.counted("tiles", {}, count={"coverslip": 1000, "large_image": 100}, times=2, of="large_image")
    assert row.peers == {"large_image": 5000.0}
    assert row.ours == pytest.approx(1e6 / ours, rel=1e-2)
    assert row.reached is reached
