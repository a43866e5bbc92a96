"""Texts with names in braces."""

import pytest

from coverslip.ingest.deposition.templates import TemplateError, UnknownNameError, metadata_template, parse_template


def test_names_are_replaced_and_doubled_braces_are_braces() -> None:
    template = parse_template("{run_name}/a{{1}}_{ts-name}.mrc")
    assert template.names == ("run_name", "ts-name")
    assert template.fill({"run_name": "TS_1", "ts-name": "x"}) == "TS_1/a{1}_x.mrc"
    assert parse_template("plain").fill({}) == "plain"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", "There is no name between the braces {}."),
        ("a{b", "The brace { at character 2 has no partner."),
        ("a}b", "The brace } at character 2 has no partner."),
        ("{run_name!r}", "'run_name!r' is no name"),
        ("{run_name:03d}", "'run_name:03d' is no name"),
        ("{a.b}", "'a.b' is no name"),
    ],
)
def test_what_is_no_template(text: str, expected: str) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(text)
    assert str(caught.value).startswith(expected)


def test_a_name_without_a_value() -> None:
    with pytest.raises(UnknownNameError, match="ts_name"):
        parse_template("{ts_name}").fill({"run_name": "a"})


@pytest.mark.parametrize(
    ("text", "cell", "value"),
    [
        ("float {x}", "1.5", 1.5),
        ("float{x}", "2", 2.0),
        ("int {x}", "3", 3),
        ("int {x}", "3.0", 3),
        (" {x} ", "SIRT", "SIRT"),
        ("{x} 2", "IMOD", "IMOD 2"),
        ("float {x}", "", None),
        ("{x}", " ", None),
    ],
)
def test_types(text: str, cell: str, value: object) -> None:
    template = metadata_template(text)
    assert template is not None
    found = template.value({"x": cell})
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "cell"), [("float {x}", "abc"), ("int {x}", "1.5"), ("float {x}", "nan"), ("int {x}", "1_0")]
)
def test_cells_that_are_no_number(text: str, cell: str) -> None:
    template = metadata_template(text)
    assert template is not None
    with pytest.raises(TemplateError, match="number"):
        template.value({"x": cell})


@pytest.mark.parametrize("text", ["no braces", "temperature: {'units': 'K'}", "a { b", "{}"])
def test_words_with_braces_in_metadata_are_words(text: str) -> None:
    assert metadata_template(text) is None
