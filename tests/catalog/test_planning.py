"""What goes and what stays, by what is known of documents and files."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from coverslip.catalog.planning import Planned, plan_removals
from coverslip.model.removal import Candidate, CleanupPlan, Group, Scope

GROUP = Group("1", "TS_1", "5.000", 4, 2, 3, "/data", "annotation")
WITNESS = "1/TS_1/run_metadata.json"


@dataclass(frozen=True)
class Known:
    """Answers by hand."""

    present: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    unknown: dict[str, str] = field(default_factory=dict)
    orphans: frozenset[str] = frozenset()


def row(number: int, *, group: Group = GROUP, type_: str = "annotation", files: tuple[str, ...] = ()) -> Candidate:
    key = f"1/{group.run}/{number}.json"
    return Candidate(type_, number, f"{group.run}/{number}", "/data", key, files, group=group)


def plan(rows: Sequence[Candidate], there: set[str], unknown: dict[str, str] | None = None) -> Planned:
    """Plan with some keys that are there, some that are unknown, and all others absent; the run itself is there."""
    keys = {key for one in rows for key in one.keys}
    unknown = unknown or {}
    known = Known(frozenset(there), frozenset(keys - there - unknown.keys()), unknown, frozenset({WITNESS}))
    return plan_removals(rows, known)


@pytest.mark.parametrize(
    ("rows", "stale", "stops"),
    [
        (20, 4, []),
        (25, 5, []),
        (24, 5, [("many", 5, 24)]),
        (5, 5, [("many", 5, 5)]),
        (4, 4, []),
        (100, 20, []),
        (100, 21, [("many", 21, 100)]),
    ],
)
def test_the_brake_holds_above_a_fifth_of_at_least_five(
    rows: int, stale: int, stops: list[tuple[str, int, int]]
) -> None:
    every = [row(number) for number in range(rows)]
    found = plan(every, {one.key for one in every[stale:]})
    assert [(one.reason, one.removed, one.rows) for one in found.stops] == stops
    assert [one.id for one in found.removals] == list(range(stale))


def test_scopes_are_counted_apart() -> None:
    other = replace(GROUP, spacing="10.000", number=5)
    ours, theirs = [row(number) for number in range(10)], [row(number, group=other) for number in range(100, 200)]
    found = plan([*ours, *theirs], {one.key for one in (*ours[6:], *theirs[6:])})
    assert [one.group.spacing for one in found.stops] == ["5.000"]
    made = CleanupPlan("x", Scope("annotation"), None, "", removals=found.removals, stops=found.stops)  # type: ignore[arg-type]
    assert {one.group.spacing for one in made.to_go()} == {"10.000"}
    assert len(made.to_go(allow=11)) == 6
    assert len(made.to_go(allow=12)) == 12


def test_a_run_of_which_nothing_is_there_is_stopped_and_others_are_not() -> None:
    elsewhere = replace(GROUP, run="TS_2", run_id=9, number=10)
    found = plan([row(1), row(2, group=elsewhere)], set())
    assert [(one.group.run, one.reason) for one in found.stops] == [("TS_2", "empty")]


SPACING = "1/TS_1/Reconstructions/VoxelSpacing5.000"


def in_spacing(number: int, type_: str = "annotation") -> Candidate:
    """Return a row as portals lay it out, in a folder of its voxel spacing."""
    group = replace(GROUP, type=type_)
    folder = {"annotation": "Annotations", "tomogram": "Tomograms"}[type_]
    return replace(row(number, group=group, type_=type_), key=f"{SPACING}/{folder}/{number}/a.json")


@pytest.mark.parametrize(
    ("rows", "there", "stops"),
    [
        (4, "1/TS_1/run_metadata.json", ["empty"]),
        (1, "1/TS_1/run_metadata.json", ["empty"]),
        (1, "1/TS_1/Reconstructions/VoxelSpacing7.000/Annotations/1/a.json", ["empty"]),
        (1, f"{SPACING}/Images/1/a.mrc", []),
        (4, f"{SPACING}/Images/1/a.mrc", []),
    ],
)
def test_a_voxel_spacing_of_which_nothing_is_there_is_stopped_however_few_rows_it_has(
    rows: int, there: str, stops: list[str]
) -> None:
    every = [in_spacing(number) for number in range(rows)]
    keys = frozenset(key for one in every for key in one.keys)
    found = plan_removals(every, Known(absent=keys, orphans=frozenset({there})))
    assert [one.reason for one in found.stops] == stops
    assert len(found.removals) == rows


def test_rows_of_all_types_of_a_voxel_spacing_count_together() -> None:
    every = [*(in_spacing(number) for number in range(10)), in_spacing(20, "tomogram"), in_spacing(21, "tomogram")]
    there = {one.key for one in every[4:11]}
    found = plan(every, there)
    assert [(one.group.type, one.reason, one.removed, one.rows) for one in found.stops] == [
        ("annotation", "many", 4, 10),
        ("tomogram", "many", 1, 2),
    ]
    of_run = replace(GROUP, spacing="", number=3, type="alignment")
    other = [replace(row(number, group=of_run, type_="alignment")) for number in (30, 31)]
    assert plan([*every[:11], *other], {*there, other[0].key}).stops == (), "a run is another scope"


@pytest.mark.parametrize(
    ("allow", "reasons"), [(3, ["many", "empty"]), (9, ["empty"]), (7, []), (6, ["many", "empty"])]
)
def test_an_empty_scope_is_let_through_by_exactly_its_number_and_a_full_one_by_at_least_its(
    allow: int, reasons: list[str]
) -> None:
    elsewhere = replace(GROUP, run="TS_2", run_id=9, number=10)
    every = [*(row(number) for number in range(8)), row(20, group=elsewhere)]
    found = plan(every, {one.key for one in every[6:8]})
    made = CleanupPlan("x", Scope("annotation"), None, "", removals=found.removals, stops=found.stops)  # type: ignore[arg-type]
    assert [stop.reason for stop in made.held(allow)] == reasons
    assert len(made.to_go(allow)) == 7 - 6 * ("many" in reasons) - ("empty" in reasons)


def test_unknown_is_never_removed_and_says_why() -> None:
    every = [row(number) for number in range(3)]
    found = plan(every, set(), {every[1].key: "403"})
    assert [one.id for one in found.removals] == [0, 2]
    assert [(one.id, one.why) for one in found.unknown] == [(1, "403")]


def test_what_nobody_looked_for_is_unknown() -> None:
    found = plan_removals([row(1)], Known(orphans=frozenset({WITNESS})))
    assert (found.removals, [one.why for one in found.unknown]) == ((), ["nobody looked for it"])
    assert [one.reason for one in found.stops] == ["failed"]
    made = CleanupPlan("x", Scope("annotation"), None, "", stops=found.stops)  # type: ignore[arg-type]
    assert made.held(1) == found.stops, "no number says what a listing would have shown"


@pytest.mark.parametrize(
    ("there", "unknown", "goes"),
    [({"a"}, {}, False), (set(), {"a": "403"}, False), (set(), {}, True), ({"a", "b"}, {}, False)],
)
def test_what_has_no_document_goes_with_the_last_of_its_files(
    there: set[str], unknown: dict[str, str], goes: bool
) -> None:
    gain = replace(row(1, type_="gain", files=("a", "b")), key="1/TS_1/Gains")
    assert bool(plan([gain], there, unknown).removals) == goes
    assert plan([replace(gain, files=())], set()).removals == ()


def test_a_record_without_a_place_for_its_document_stays() -> None:
    found = plan([replace(row(1), key="")], set())
    assert [one.why for one in found.unknown] == ["nobody knows where its document would be"]


def test_what_lies_in_a_record_goes_along_or_keeps_it() -> None:
    series = row(1, type_="tiltseries")
    raw = replace(row(2, type_="rawtilt", files=("1/TS_1/a.rawtlt",)), parent_id=1)
    keys = {*series.keys, *raw.keys}
    gone = plan_removals([series], Known(absent=frozenset(keys), orphans=frozenset({WITNESS})), beside=[raw])
    assert [(one.type, one.id) for one in gone.removals] == [("rawtilt", 2), ("tiltseries", 1)]
    known = Known(frozenset(raw.keys), frozenset(series.keys))
    kept = plan_removals([series], known, beside=[raw])
    assert kept.removals == ()
    assert "what lies in it may be: TS_1/2" in kept.unknown[0].why


def test_dependents_are_told_and_stay() -> None:
    alignment = replace(row(1, type_="alignment"), alignment="A")
    made = [replace(row(number, type_="tomogram"), alignment="A") for number in (2, 3)]
    there = frozenset(one.key for one in made)
    found = plan_removals([alignment], Known(there, frozenset(alignment.keys)), beside=made)
    assert [one.dependents for one in found.removals] == [("2 records were made with it",)]
