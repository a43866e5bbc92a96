"""Foreign metadata documents: safe, bounded, and never believed blindly."""

import json
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from coverslip.readers.vendor_metadata import (
    MAX_LIST,
    MAX_TEXT,
    bounded,
    element_document,
    json_document,
    moment,
    number,
    optional,
    parse_xml,
    positive,
    seconds_since_epoch,
    words,
)


@pytest.mark.parametrize(
    "xml",
    [
        '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        '<?xml version="1.0"?><!DOCTYPE a><a/>',
    ],
)
def test_xml_with_a_document_type_is_refused(xml: str) -> None:
    with pytest.raises(ValueError, match="document type"):
        parse_xml(xml)


def test_xml_becomes_a_document() -> None:
    root = parse_xml('<n:a xmlns:n="u" k="v">t<b>1</b><b>2</b><b/><c d="3"/></n:a>')
    assert element_document(root) == {"@k": "v", "#text": "t", "b": ["1", "2", ""], "c": {"@d": "3"}}


def test_xml_documents_are_bounded() -> None:
    wide = parse_xml(f"<a>{'<b>1</b>' * (MAX_LIST + 5)}<c>{'x' * (MAX_TEXT + 5)}</c></a>")
    document = element_document(wide)
    assert (len(document["b"]), len(document["c"])) == (MAX_LIST, MAX_TEXT)
    deep = ET.fromstring("<a>" * 500 + "</a>" * 500)
    json.dumps(element_document(deep))


def test_foreign_values_become_json() -> None:
    value = {1: float("nan"), "b": b"raw", "t": (1, 2.5, None, True), "o": object(), "l": list(range(MAX_LIST + 1))}
    document = json_document(value)
    assert document == {"1": None, "b": None, "t": [1, 2.5, None, True], "o": None, "l": list(range(MAX_LIST))}
    json.dumps(document, allow_nan=False)


def test_large_documents_keep_their_small_parts() -> None:
    document = {
        "a": {"small": "kept", "large": "x" * 5000},
        "b": [{"first": "kept"}, *[{"next": "y" * 99}] * 99],
        "c": 1,
    }
    cut = bounded(document, 1000)
    assert len(json.dumps(cut)) <= 1100
    assert cut["a"]["small"] == "kept"
    assert cut["a"]["large"].startswith("(left out: 5")
    assert cut["b"][0] == {"first": "kept"}
    assert cut["c"] == 1
    assert bounded(document, 100_000) is document


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1.5", 1.5),
        (" -2 ", -2.0),
        (3, 3.0),
        ("1e999", None),
        ("nan", None),
        ("", None),
        (None, None),
        (True, None),
        ([], None),
    ],
)
def test_numbers(value: object, expected: float | None) -> None:
    assert number(value) == expected


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [("2", 1e6, 2e6), (0, 1.0, None), (-1, 1.0, None), ("1e300", 1e300, None), ("x", 1.0, None)],
)
def test_positive_numbers(value: object, scale: float, expected: float | None) -> None:
    assert positive(value, scale) == expected


@pytest.mark.parametrize(("value", "expected"), [("  a \n b ", "a b"), ("   ", None), (None, None), (5, None)])
def test_words(value: object, expected: str | None) -> None:
    assert words(value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2016-02-12T09:41:02.4915604Z", datetime(2016, 2, 12, 9, 41, 2, 491560, UTC)),
        ("2021-11-22T11:31:22", datetime(2021, 11, 22, 11, 31, 22)),
        ("0001-01-01T00:00:00", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_moments(text: object, expected: datetime | None) -> None:
    assert moment(text) == expected


@pytest.mark.parametrize(
    ("seconds", "year"), [(1e9, 2001), (-5.0, None), (0.0, None), (1e12, None), (float("nan"), None)]
)
def test_clocks(seconds: float, year: int | None) -> None:
    when = seconds_since_epoch(seconds)
    assert (when.year if when else None) == year


def test_broken_parts_are_unknown_and_unreadable_disks_are_not() -> None:
    def fail(error: Exception) -> Any:
        raise error

    assert optional(lambda: fail(KeyError("x")), 7) == 7
    assert optional(lambda: fail(ET.ParseError("x")), 7) == 7
    with pytest.raises(OSError, match="gone"):
        optional(lambda: fail(OSError("gone")), 7)
