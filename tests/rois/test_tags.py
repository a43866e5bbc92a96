"""Expressions over tags."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.errors import InvalidRequestError
from coverslip.rois import parse_tags


@pytest.mark.parametrize(
    ("text", "tags", "expected"),
    [
        ("", "", True),
        ("  ", "a", True),
        ("a", "a", True),
        ("a", "A", False),
        ("a", "ab", False),
        ("!a", "b", True),
        ("!!a", "a", True),
        ("a & b", "a", False),
        ("a & b", "a,b", True),
        ("a | b", "b", True),
        ("a | b & c", "a", True),
        ("(a | b) & c", "a", False),
        ("!a & b", "b", True),
        ("!(a & b)", "a", True),
        ("!a | a", "", True),
        ("needs review & !done", "needs review", True),
        ("needs   review", "needs review", True),
        ('"a & b" | c', "a & b", True),
        ("'it is \"so\"'", 'it is "so"', True),
        ("((a))", "a", True),
    ],
)
def test_expressions_mean_what_they_say(text: str, tags: str, expected: bool) -> None:
    assert parse_tags(text).matches(tags.split(",")) is expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a &", "at the end"),
        ("& a", "expected a tag at character 1"),
        ("a b | | c", "expected a tag at character 7"),
        ("(a", "parenthesis at character 1 is not closed"),
        ("a)", "character 2 could close"),
        ("()", "expected a tag at character 2"),
        ("a !b", "expected & or | at character 3"),
        ('"a', "quote at character 1"),
        ("a (b)", "expected & or |"),
        ("a" * 5000, "at most 4096"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(InvalidRequestError, match=said.replace("|", r"\|").replace("(", r"\(")):
        parse_tags(text)


@given(st.text(alphabet="ab&|!()\"' ", max_size=40), st.sets(st.sampled_from("ab")))
def test_expressions_are_those_of_python_with_other_signs(text: str, tags: set[str]) -> None:
    plain = text.replace('"', "").replace("'", "").replace("aa", "a").replace("bb", "b")
    try:
        expression = parse_tags(plain)
    except InvalidRequestError:
        return
    names = {value for kind, value in expression.steps if kind == "tag"}
    if not expression.steps or not names <= {"a", "b"}:
        return
    words = {"&": " and ", "|": " or ", "!": " not ", "a": str("a" in tags), "b": str("b" in tags)}
    assert expression.matches(tags) is eval("".join(words.get(c, c) for c in plain).strip(), {})


def test_deep_nesting_is_no_danger() -> None:
    assert parse_tags("!" * 2000 + "a").matches(["a"])
    assert parse_tags("(" * 2000 + "a" + ")" * 2000).matches(["a"])
