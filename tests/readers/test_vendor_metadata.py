"""Foreign metadata documents: safe, bounded, and never believed blindly."""

import json
from datetime import UTC, datetime
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coverslip.readers.vendor_metadata import (
    MAX_DOCUMENT,
    MAX_LIST,
    MAX_TEXT,
    bounded,
    element_document,
    json_document,
    mean_step,
    moment,
    number,
    optional,
    parse_xml,
    positive,
    seconds_since_epoch,
    vendor_document,
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
    cut = [*range(MAX_LIST), "(left out: 1 more)"]
    assert document == {"1": None, "b": "<3 bytes>", "t": [1, 2.5, None, True], "o": None, "l": cut}
    json.dumps(document, allow_nan=False)


def test_large_documents_keep_their_small_parts() -> None:
    document = {
        "a": {"small": "kept", "large": "x" * 5000},
        "b": [{"first": "kept"}, *[{"next": "y" * 99}] * 99],
        "c": 1,
    }
    cut = bounded(document, 1000)
    assert len(json.dumps(cut)) <= 1000
    assert cut["a"]["small"] == "kept"
    assert cut["a"]["large"].startswith("(left out: 5")
    assert cut["b"][0] == {"first": "kept"}
    assert cut["c"] == 1
    assert bounded(document, 100_000) is document


@pytest.mark.parametrize(
    "document",
    [
        {f"key number {i}": i for i in range(20_000)},
        {f"key number {i}": "x" * 100 for i in range(20_000)},
        {f"key {i}": {f"inner {j}": "y" * 50 for j in range(200)} for i in range(200)},
        {"k" * 300_000: 1},
        [{"a": "x" * 300_000}] * 3,
        [[[["x" * 99] * 99] * 99] * 9] * 9,
        "x" * 300_000,
        {"\u00e9" * 9: ["\u00e9" * 99] * 9999, "small": 1},
    ],
)
@pytest.mark.parametrize("budget", [MAX_DOCUMENT, 5000, 500, 61, 10])
def test_no_document_is_larger_than_its_budget(document: Any, budget: int) -> None:
    cut = bounded(document, budget)
    assert len(json.dumps(cut)) <= budget


def test_what_there_is_no_room_for_is_told() -> None:
    cut = bounded({f"key number {i}": i for i in range(20_000)})
    assert len(cut) > 5000
    assert cut["..."] == f"(left out: {20_001 - len(cut)} more)"
    assert cut["key number 7"] == 7


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=300),
        lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=30), inner, max_size=30),
        max_leaves=200,
    ),
    st.integers(4, 3000),
)
def test_any_document_fits_any_budget(document: Any, budget: int) -> None:
    assert len(json.dumps(bounded(document, budget))) <= budget


def test_documents_hold_nothing_that_a_database_refuses() -> None:
    found = vendor_document({"nul\0": "a\0b", "half": "\ud800", "big": 1 << 99_999, "nan": float("nan")})
    assert (found["nul"], found["half"], found["nan"]) == ("ab", "?", None)
    assert found["big"].startswith("0x8000")
    json.dumps(found, allow_nan=False).encode()
    assert vendor_document([1]) == {}


def test_records_of_numpy_are_documents() -> None:
    layout = np.dtype([("name", "S8"), ("cell", [("x", "f4"), ("y", "f4")]), ("axes", "i2", 3)])
    record = np.array([(b"Titan", (1.5, np.nan), (1, 2, 3))], layout)[0]
    assert json_document(record) == {"name": "Titan", "cell": {"x": 1.5, "y": None}, "axes": [1, 2, 3]}


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


def test_moments_in_formats_of_a_vendor() -> None:
    assert moment(" 13/02/2024 10:11:12\0", ("%d/%m/%Y %H:%M:%S",)) == datetime(2024, 2, 13, 10, 11, 12)
    assert moment("13/02/2024 10:11:12") is None
    assert moment(datetime(2024, 2, 13)) == datetime(2024, 2, 13)


@pytest.mark.parametrize(
    ("times", "step"), [([1.0, 2.0, 5.0], 2.0), ([1.0], None), ([], None), ([2.0, 1.0], None), ([1.0, 1.0], None)]
)
def test_mean_steps(times: list[float], step: float | None) -> None:
    assert mean_step(times) == step


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
