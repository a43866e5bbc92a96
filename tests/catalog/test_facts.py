"""What images are found by, without a database."""

from datetime import UTC, datetime
from typing import Any

import pytest

from coverslip.catalog.documents import to_documents
from coverslip.catalog.facts import LONGEST_WORD, MAX_NAME, MAX_TEXT, facts_of, words_of
from tests.catalog.making import metadata


def facts(filename: str = "a.tif", **given: Any) -> dict[str, Any]:
    return facts_of(filename, *to_documents(metadata(given.pop("name", "cells"), **given)))


def words(**given: Any) -> list[str]:
    found: str = facts(**given)["text"]
    return found.split(" ")


def test_facts_of_an_image() -> None:
    found = facts(
        name="Mouse Brain",
        filename="Slide 3.czi",
        file_format="TIFF",
        format_variant="OME-TIFF",
        size_c=2,
        size_z=3,
        pixel_size_x={"value": 65, "unit": "nm"},
        acquired_at=datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
        channels=[{"index": 0, "name": "Nuclei", "dye": "DAPI"}, {"index": 1, "name": "Channel 1"}],
        objective={"name": "Plan-Apochromat", "magnification": 63, "numerical_aperture": 1.4, "immersion": "Oil"},
        microscope={"manufacturer": "Zeiss"},
    )
    assert found == {
        "format": "tiff",
        "variant": "ome-tiff",
        "name": "mouse brain",
        "pixels": 2 * 3 * 32 * 48,
        "pixel_size_um": 0.065,
        "acquired_at": datetime(2026, 11, 20, 8, 30, tzinfo=UTC),
        "channels": "nuclei\ndapi\nchannel 1",
        "objective": "plan-apochromat\n63x\nna 1.4\noil",
        "text": "mouse brain slide 3 czi nuclei dapi plan apochromat 63x na 1 4 oil zeiss",
    }


def test_facts_of_an_image_of_which_little_is_known() -> None:
    found = facts()
    assert (found["variant"], found["objective"], found["pixel_size_um"], found["acquired_at"]) == ("", "", None, None)
    assert found["text"] == "cells a tif"


def test_a_time_without_a_zone_is_taken_as_utc_and_one_before_the_calendar_as_none() -> None:
    assert facts(acquired_at=datetime(2026, 1, 2))["acquired_at"] == datetime(2026, 1, 2, tzinfo=UTC)
    document, vendor = to_documents(metadata())
    assert facts_of("a", {**document, "acquired_at": "0001-01-01T00:00:00+05:00"}, vendor)["acquired_at"] is None


def test_words_of_the_vendor_are_texts_and_whole_numbers_but_not_keys_or_measurements() -> None:
    vendor = {"Key": {"Camera": "Orca-Flash 4.0"}, "serial": 4711, "on": True, "x": 1.5, "list": [17, "word", [18]]}
    assert words(vendor=vendor) == ["cells", "a", "tif", "orca", "flash", "4", "0", "4711", "word"]


def test_each_word_is_kept_once_and_a_long_one_shortened() -> None:
    assert words(vendor={"a": "Cells cells CELLS " + "w" * 5000})[3:] == ["w" * LONGEST_WORD]


def test_there_is_an_end_to_the_words_of_one_image() -> None:
    many = " ".join(f"word{number}" for number in range(50_000))
    text = facts(vendor={"a": many, "b": [many] * 100})["text"]
    assert MAX_TEXT - 100 < len(text.encode()) <= MAX_TEXT
    assert len(facts(vendor={"a": "x " * 10_000_000})["text"]) < 20
    assert facts(vendor={"deep": [[[["down"]]]] * 200_000})["text"].endswith("down")
    assert len(facts(name="n" * 1000)["name"]) == MAX_NAME


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("DAPI", ["dapi"]),
        ("a_b-c.d/e", ["a", "b", "c", "d", "e"]),
        ("Zu\u0308rich STRASSE straße", ["zürich", "strasse", "strasse"]),
        ('" OR * ^ ( ) { } NEAR(a, 2) : + -', ["or", "near", "a", "2"]),
        ("a\x00b", ["a\ufffdb"]),
        ("\udc80 %", []),
        ("細胞", ["細胞"]),
        ("10µm", ["10μm"]),
    ],
)
def test_words_of_a_question(question: str, expected: list[str]) -> None:
    assert words_of(question) == expected
