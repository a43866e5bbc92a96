import base64
import json
from datetime import UTC, datetime
from typing import Any, get_args

import pytest

from coverslip.model.search import Cursor, Key, Sort, to_utc

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
KEYS: dict[Sort, tuple[Key, ...]] = {
    "-added": ("2026-11-20T08:30:00.000001+00:00", -3, ID),
    "added": ("2026-11-20T08:30:00+00:00", 0, ID),
    "name": ("cells \U0001f52c", ID),
    "-name": ("", ID),
    "acquired": (None, ID),
    "-acquired": ("2026-11-20T08:30:00+00:00", ID),
    "size": (2**62, ID),
    "-size": (1, ID),
    "pixel_size": (0.1, ID),
    "-pixel_size": (None, ID),
}


def written(document: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


@pytest.mark.parametrize("sort", get_args(Sort))
def test_a_cursor_comes_back_as_it_was(sort: Sort) -> None:
    cursor = Cursor(sort, KEYS[sort])
    text = cursor.write()
    assert text.replace("-", "").replace("_", "").isalnum()
    assert Cursor.parse(text, sort) == cursor


def test_the_longest_name_fits_an_address() -> None:
    cursor = Cursor("name", ("\U0001f52c" * 256, ID))
    assert len(cursor.write()) < 2000
    assert Cursor.parse(cursor.write(), "name") == cursor


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "....",
        "\u00e4",
        "\x00",
        "A" * 100_000,
        base64.urlsafe_b64encode(b"[" * 2000).decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
        written({}),
        written([]),
        written(["name"]),
        written([["name"], "a", ID]),
        written(["name", "a"]),
        written(["name", "a", ID, ID]),
        written(["name", 1, ID]),
        written(["name", "a", "1"]),
        written(["name", "a", ID.upper()]),
        written(["name", "a", None]),
        written(["name; DROP TABLE image", "a", ID]),
    ],
)
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected next_cursor"):
        Cursor.parse(text, "name")


@pytest.mark.parametrize(
    ("sort", "key"),
    [
        ("size", [2**64, ID]),
        ("size", [1.5, ID]),
        ("size", [True, ID]),
        ("pixel_size", [float("nan"), ID]),
        ("pixel_size", [float("inf"), ID]),
        ("pixel_size", ["0.1", ID]),
        ("acquired", ["yesterday", ID]),
        ("-added", ["2026-11-20T08:30:00+00:00", 2**40, ID]),
        ("-added", [None, 0, ID]),
        ("-added", ["0001-01-01T00:00:00+05:00", 0, ID]),
    ],
)
def test_a_cursor_with_impossible_values_is_refused(sort: Sort, key: list[Any]) -> None:
    with pytest.raises(ValueError, match="expected next_cursor"):
        Cursor.parse(written([sort, *key]), sort)


def test_a_cursor_of_another_order_is_refused() -> None:
    with pytest.raises(ValueError, match="sorted by name, not by -name"):
        Cursor.parse(Cursor("name", KEYS["name"]).write(), "-name")


def test_times() -> None:
    assert to_utc("2026-11-20") == datetime(2026, 11, 20, tzinfo=UTC)
    assert to_utc("2026-11-20T08:30:00+02:00") == datetime(2026, 11, 20, 6, 30, tzinfo=UTC)
    assert to_utc("9999-12-31T23:00:00-05:00") is None
    assert to_utc("soon") is None
