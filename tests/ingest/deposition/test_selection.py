"""Which options of a command make a selection."""

import pytest

from coverslip.errors import InvalidRequestError
from coverslip.ingest.deposition.selection import select


def test_nothing_said_is_everything() -> None:
    chosen = select()
    assert chosen.writes("tomogram")
    assert chosen.writes("deposition")


def test_problems_are_all_said_at_once_with_the_nearest_type() -> None:
    with pytest.raises(InvalidRequestError) as caught:
        select(["tomogramm"], ["runs=TS_1", "run"], ["annotation=("], everything=True)
    assert [problem.partition(". ")[0] for problem in caught.value.errors] == [
        "--only: there is no type 'tomogramm'",
        "--everything: and --only cannot both be asked for",
        "--filter: there is no type 'runs'",
        "--filter: expected TYPE=regex, found 'run'",
        "--exclude: This is no regular expression: missing ), unterminated subpattern at character 1.",
    ]
    assert "Did you mean 'tomogram'?" in caught.value.errors[0]


def test_an_expression_may_hold_an_equals_sign() -> None:
    (rule,) = select(filters=["annotation=a=b"]).filters
    assert (rule[0], rule[1].pattern) == ("annotation", "a=b")


def test_an_expression_that_may_take_forever_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="may take forever"):
        select(filters=["run=(a+)+$"])
