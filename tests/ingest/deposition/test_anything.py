"""Whatever a file holds, checking it gives an answer."""

import json
from contextlib import suppress

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coverslip.ingest.deposition import Checked, check_text
from coverslip.ingest.deposition.document import parse
from coverslip.ingest.deposition.maps import MapError, parse_map
from coverslip.ingest.deposition.schema import Config
from tests.ingest.deposition.configs import SMALL

LINES = SMALL.splitlines(keepends=True)
WORDS = sorted({word.strip(" -:,[]{}'&*") for line in LINES for word in line.split()} | set(Config.model_fields))
ODD = [
    "{",
    "}",
    "[",
    "&a",
    "*a",
    "<<",
    "!!binary x",
    "null",
    "~",
    "1e999",
    "0x",
    ":",
    "- - -",
    "'",
    '"',
    "|",
    "%",
    "\t",
    "é",
    "(",
    "*",
    "**/x",
]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS + ODD) | st.text(max_size=20)
values = st.recursive(
    scalars,
    lambda inside: (
        st.lists(inside, max_size=4) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=8), inside, max_size=4)
    ),
    max_leaves=40,
)


def is_well(checked: Checked) -> None:
    for problem in checked.problems:
        assert problem.line >= 0
        assert problem.sentence.endswith((".", ")"))
        assert str(problem)
    assert (checked.config is None) == bool(checked.errors)


@given(st.text())
def test_any_text(text: str) -> None:
    is_well(check_text(text, "c.yaml"))


@given(st.lists(st.sampled_from(LINES) | st.sampled_from([f"{odd}\n" for odd in ODD]), max_size=80))
def test_lines_of_a_config_in_any_order(lines: list[str]) -> None:
    is_well(check_text("".join(lines), "c.yaml"))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_config_with_pieces_exchanged(data: st.DataObject) -> None:
    text = SMALL
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(len(text), start + 30)))
        text = text[:start] + data.draw(st.sampled_from(WORDS + ODD) | st.text(max_size=5)) + text[end:]
    is_well(check_text(text, "c.yaml"))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(Config.model_fields)), values, max_size=6))
def test_any_value_in_any_section(sections: dict[str, object]) -> None:
    is_well(check_text(json.dumps(sections), "c.yaml"))


printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from((0.5, -2.25, 1e3))
    | printable
    | st.sampled_from(ODD[:10]),
    lambda inside: st.lists(inside, max_size=4) | st.dictionaries(printable, inside, max_size=4),
    max_leaves=30,
)


@given(json_values)
def test_json_is_read_as_what_it_is(value: object) -> None:
    """Compare with an independent writer: JSON of printable ASCII is YAML."""
    document = parse(json.dumps(value), "c.yaml")
    assert document.problems == ()
    assert document.root is not None
    assert document.root.plain() == _with_tuples(value)


def _with_tuples(value: object) -> object:
    if isinstance(value, list):
        return tuple(_with_tuples(item) for item in value)
    return {key: _with_tuples(item) for key, item in value.items()} if isinstance(value, dict) else value


@given(
    st.text()
    | st.lists(st.lists(st.text(max_size=5), max_size=4).map(",".join)).map("\n".join).map("run_name,a\n".__add__)
)
def test_any_table(text: str) -> None:
    with suppress(MapError):
        parse_map(text, "m.csv", "")
