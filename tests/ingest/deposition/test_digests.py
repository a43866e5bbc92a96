"""What makes a step one to do again."""

from dataclasses import replace
from typing import Any

import pytest

from coverslip.ingest.deposition.digests import states, step_digest
from coverslip.ingest.deposition.steps import Input, Step
from coverslip.model.entities import StepRecord

FIRST = Step("a#points", "points", "a", (Input("x.csv"),), {"binning": 2, "order": "xyz"}, ("a.ndjson",))
LAST = Step("a#document", "document", "a", (), {"metadata": {}}, ("a.json",), ("a#points",))


def digest(step: Step = FIRST, version: int = 1, content: str = "e1", facts: dict[str, Any] | None = None) -> str:
    return step_digest(step, version, dict.fromkeys(step.inputs, content), facts or {})


def test_the_order_of_options_means_nothing() -> None:
    assert digest(replace(FIRST, options={"order": "xyz", "binning": 2})) == digest()


@pytest.mark.parametrize(
    "other",
    [
        digest(version=2),
        digest(content="e2"),
        digest(facts={"b#volume": {"size": 4}}),
        digest(replace(FIRST, options={"binning": 1})),
        digest(replace(FIRST, inputs=(Input("x.csv", "destination"),))),
        digest(replace(FIRST, outputs=("b.ndjson",))),
        digest(replace(FIRST, recipe="mesh")),
    ],
)
def test_everything_that_a_result_depends_on_counts(other: str) -> None:
    assert other != digest()


def test_what_is_said_instead_of_options_and_facts_counts_in_their_place() -> None:
    contents = {Input("x.csv"): "e1"}
    assert step_digest(FIRST, 1, contents, {}, said={"a": 1}) == step_digest(
        FIRST, 1, contents, {"x": {}}, said={"a": 1}
    )
    assert step_digest(FIRST, 1, contents, {}, said={"a": 1}) != step_digest(FIRST, 1, contents, {})


def record(step: Step, digest: str = "d") -> StepRecord:
    return StepRecord(step.name, digest, {}, dict.fromkeys(step.outputs, "v"))


@pytest.mark.parametrize(
    ("done", "there", "now", "expected"),
    [
        ([], (), "d", ["write", "write"]),
        ([], ("a.ndjson",), "d", ["update", "write"]),
        ([record(FIRST), record(LAST)], (), "d", ["unchanged", "unchanged"]),
        ([record(FIRST), record(LAST)], (), "other", ["update", "update"]),
        ([record(FIRST), record(LAST)], (), None, ["update", "update"]),
        ([record(replace(FIRST, outputs=("b",))), record(LAST)], (), "d", ["update", "update"]),
        ([record(FIRST)], (), "d", ["unchanged", "write"]),
    ],
)
def test_states_of_steps(done: list[StepRecord], there: tuple[str, ...], now: str | None, expected: list[str]) -> None:
    found = states([FIRST, LAST], {one.name: one for one in done}, there, lambda *_: now)
    assert list(found.values()) == expected
