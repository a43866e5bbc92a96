"""Captions: values by hand."""

import json
from pathlib import Path

import pytest

from coverslip.cryoet import Caption, read_captions
from coverslip.errors import InvalidRequestError, ReadError
from tests.cryoet.written import put

GLOBAL = '{"captions": [{"id": 0, "text": "A caption."}, {"id": 7, "text": "Größe"}]}'
OBJECTS = (
    '{"objects": [{"id": 0, "annotation_label": 1, "text": "One."}, {"id": 1, "annotation_label": 1, "text": "Two."}]}'
)


def test_captions_of_a_tomogram(tmp_path: Path) -> None:
    found = read_captions(put(tmp_path, "a.json", GLOBAL), "GlobalCaption", "saber")
    assert found.entries == (Caption(0, "A caption."), Caption(7, "Größe"))
    assert found.object_count == 2
    assert json.loads(found.to_json()) == json.loads(GLOBAL)


def test_captions_of_labels(tmp_path: Path) -> None:
    found = read_captions(put(tmp_path, "a.json", OBJECTS), "AnnotationCaption")
    assert found.entries == (Caption(0, "One.", 1), Caption(1, "Two.", 1))
    assert json.loads(found.to_json()) == json.loads(OBJECTS)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"objects"', '"captions"', "has a list 'objects'"),
        ('"id": 1', '"id": 0', "two captions have the same id"),
        ('"id": 1', '"id": 1.5', r"objects\[1\].id is no whole number"),
        (
            '"annotation_label": 1, "text": "Two."',
            '"text": "Two."',
            r"objects\[1\].annotation_label is no finite number",
        ),
        ('"Two."', '" "', r"objects\[1\] has no text"),
        ('"Two."', "2", r"objects\[1\] has no text"),
        ("]}", "]", "a.json:1: this is no JSON"),
    ],
)
def test_damaged_captions_are_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    with pytest.raises(ReadError, match=why):
        read_captions(put(tmp_path, "a.json", OBJECTS.replace(old, new, 1)), "AnnotationCaption")


def test_formats_that_are_not_known(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="there is no format 'csv'"):
        read_captions(tmp_path / "a", "GlobalCaption", "csv")
