"""Captions: sentences about a tomogram, or about the labels of another annotation.

``GlobalCaption``: ``{"captions": [{"id": 0, "text": "..."}]}``. ``AnnotationCaption``: ``{"objects": [{"id": 0,
"annotation_label": 1, "text": "..."}]}``. Both are what SABER writes (format ``saber``).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from coverslip.cryoet.files import json_whole, read_json, shown
from coverslip.errors import InvalidRequestError, ReadError

CaptionShape = Literal["GlobalCaption", "AnnotationCaption"]
FORMATS = ("saber",)
LISTS: dict[CaptionShape, str] = {"GlobalCaption": "captions", "AnnotationCaption": "objects"}
MOST_CAPTIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class Caption:
    """One sentence."""

    number: int
    """Its id, which no other caption of the file has."""
    text: str
    label: int | None = None
    """The label of the other annotation that it is about; ``None`` for the whole tomogram."""


@dataclass(frozen=True, slots=True)
class Captions:
    """All sentences of one file."""

    shape: CaptionShape
    entries: tuple[Caption, ...]

    @property
    def object_count(self) -> int:
        """How many captions there are."""
        return len(self.entries)

    def to_json(self) -> str:
        """Return the document that the portal publishes. The same captions give the same text."""
        entries = []
        for each in self.entries:
            label = {} if each.label is None else {"annotation_label": each.label}
            entries.append({"id": each.number, **label, "text": each.text})
        return json.dumps({LISTS[self.shape]: entries}, indent=4, ensure_ascii=False) + "\n"


def read_captions(path: Path, shape: CaptionShape, file_format: str = "saber") -> Captions:
    """Return the captions of a file.

    Raises
    ------
    InvalidRequestError
        There is no such format.
    UnreadableFileError
        The system did not let us look.
    ReadError
        It is damaged, an entry lacks something, or an id is there twice.
    """
    if file_format not in FORMATS:
        raise InvalidRequestError(f"there is no format {file_format!r} of captions. There is: {', '.join(FORMATS)}")
    key = LISTS[shape]
    document = read_json(path)
    entries = document.get(key) if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) > MOST_CAPTIONS:
        raise ReadError(
            f"{path}: a {shape} has a list {key!r} of at most {MOST_CAPTIONS:,} captions; this file has none"
        )
    found = tuple(_caption(path, entry, f"{key}[{n}]", shape) for n, entry in enumerate(entries))
    if len({each.number for each in found}) != len(found):
        raise ReadError(f"{path}: two captions have the same id")
    return Captions(shape, found)


def _caption(path: Path, entry: Any, where: str, shape: CaptionShape) -> Caption:
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str) or not entry["text"].strip():
        raise ReadError(f"{path}: {where} has no text: {shown(entry)}")
    label = None
    if shape == "AnnotationCaption":
        label = json_whole(entry.get("annotation_label"), path, f"{where}.annotation_label")
    return Caption(json_whole(entry.get("id"), path, f"{where}.id"), entry["text"], label)
