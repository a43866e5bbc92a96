"""YAML becomes values with places, however hostile it is."""

from datetime import date

import pytest

from coverslip.ingest.deposition.document import MOST_DEEP, parse
from coverslip.ingest.deposition.problems import Remark


def said(text: str) -> list[str]:
    return [str(problem) for problem in parse(text, "c.yaml").problems]


def plain(text: str) -> object:
    document = parse(text, "c.yaml")
    assert document.root is not None
    assert document.problems == ()
    return document.root.plain()


def test_values_are_those_of_yaml() -> None:
    text = "a: 1\nb: [1.5, yes, ~, 'no', 2026-01-02, !!str 7]\nc: {d: 0x10, 1: x}\n"
    expected = {"a": 1, "b": (1.5, True, None, "no", date(2026, 1, 2), "7"), "c": {"d": 16, "1": "x"}}
    assert plain(text) == expected


def test_aliases_and_merges() -> None:
    text = "a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {x: 5, z: 6}]}\nd: *a\n"
    assert plain(text) == {
        "a": {"x": 1, "y": 2},
        "b": {"x": 1, "y": 3},
        "c": {"x": 1, "y": 2, "z": 6},
        "d": {"x": 1, "y": 2},
    }


def test_every_value_has_its_place() -> None:
    document = parse("a:\n- x: 1\n  y: [2,\n    3]\nb: &b {z: 4}\nc: *b\n", "c.yaml")

    def place(*steps: str | int) -> tuple[int, int]:
        problem = document.problem(Remark("error", steps, "."))
        return problem.line, problem.column

    assert place() == (1, 1)
    assert place("a", 0) == (2, 3)
    assert place("a", 0, "y") == (3, 3)
    assert place("a", 0, "y", 1) == (4, 5)
    assert place("a", 0, "missing") == (2, 3)
    assert place("a", 7) == (2, 1)
    assert place("c", "z") == (5, 8), "the line of the anchor is the one to mend"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "c.yaml:3: The key 'a' stands in line 1 already."),
        ("a: [1\n", "c.yaml:2: This is not YAML:"),
        ("a: *nobody\n", "c.yaml:1: There is no anchor &nobody before this alias."),
        (
            "a: &authors 1\nb: *author\n",
            "c.yaml:2: There is no anchor &author before this alias. Did you mean 'authors'?",
        ),
        ("a: &a [*a]\n", "c.yaml:1: The alias *a refers to what contains it."),
        ("a: 1\n---\nb: 2\n", "c.yaml:2: A second document begins here; a config is one."),
        (
            "a: !!python/object:os.system x\n",
            "c.yaml:1: The tag tag:yaml.org,2002:python/object:os.system is not allowed.",
        ),
        ("a: !!int seven\n", "c.yaml:1: 'seven' is no int."),
        ("a: 2026-13-45\n", "c.yaml:1: '2026-13-45' is no timestamp. Put it in quotes"),
        ("[1, 2]: 3\n", "c.yaml:1: A key must be a word, not a list or a mapping."),
        ("a: {<<: 3}\n", "c.yaml:1: Only mappings can be merged in with <<."),
        ("", "c.yaml: The file is empty."),
        ("a: \x01\n", "c.yaml: This is not YAML:"),
    ],
)
def test_what_is_wrong_and_where(text: str, expected: str) -> None:
    assert said(text)[0].startswith(expected)


def test_a_nest_of_aliases_is_refused_before_it_is_written_out() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    (problem,) = said("\n".join(lines))
    assert "values" in problem


def test_depth_is_bounded_with_and_without_aliases() -> None:
    (problem,) = said("a: " + "[" * 5000)
    assert f"deeper than {MOST_DEEP} levels" in problem
    chain = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 200))]
    (problem,) = said("\n".join(chain))
    assert f"deeper than {MOST_DEEP} levels" in problem


def test_a_very_long_number_is_no_exception() -> None:
    assert "is no int" in said(f"a: {'9' * 5000}")[0]
