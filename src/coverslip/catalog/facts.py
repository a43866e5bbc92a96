"""What an image is found and sorted by, taken from its documents. Pure: no SQL.

Both databases get words that were cut apart here, so a search finds the same in both.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

from coverslip.catalog.types import folded
from coverslip.model.metadata import MICROMETERS
from coverslip.model.search import to_utc

MAX_TEXT = 64 << 10
"""Bytes of distinct words that are kept of one image."""
MAX_READ = 1 << 20
"""Characters of an image's metadata that are looked at for words."""
MAX_VALUES = 100_000
"""Values of a vendor's document that are looked at for words."""
LONGEST_WORD = 64
"""Characters of a word that count. PostgreSQL keeps none above 2,046 bytes."""
MOST_WORDS = 64
"""Words of a question that count."""
MAX_NAME = 256
"""Characters that names are sorted by; PostgreSQL's indexes take 2,704 bytes an entry."""
MAX_LINES = 8192
"""Characters that channels or an objective are found by."""
_LARGEST = 2**63 - 1
_WORD = re.compile(r"(?:[^\W_]|\ufffd)+")

Document = Mapping[str, Any]


def facts_of(filename: str, document: Document, vendor: Document) -> dict[str, Any]:
    """Return the row of the table ``facts`` for an image, without its identifiers.

    It works on documents as the catalog has them, so that a migration can use it for rows that are there.

    Parameters
    ----------
    filename
        Name of the file the image is in.
    document
        Metadata with our names, as ``documents.to_documents`` gives it.
    vendor
        The vendor's part.
    """
    name = str(document.get("name") or "")
    channels = [channel for channel in document.get("channels") or [] if isinstance(channel, Mapping)]
    objective = _objective(document.get("objective") or {})
    microscope = document.get("microscope") or {}
    acquired_at = document.get("acquired_at")
    known = chain(
        [name, filename],
        (str(channel["name"]) for channel in channels if channel.get("name") != f"Channel {channel.get('index')}"),
        (str(channel["dye"]) for channel in channels if channel.get("dye")),
        objective,
        (str(value) for value in microscope.values() if value),
    )
    return {
        "format": as_line(str(document.get("file_format") or "")),
        "variant": as_line(str(document.get("format_variant") or "")),
        "name": folded(name)[:MAX_NAME],
        "pixels": _pixels(document),
        "pixel_size_um": _micrometers(document.get("pixel_size_x")),
        "acquired_at": to_utc(acquired_at) if isinstance(acquired_at, str) else None,
        "channels": _lines(text for channel in channels for text in (channel.get("name"), channel.get("dye"))),
        "objective": _lines(objective),
        "text": " ".join(_distinct_words(chain(known, _texts(vendor)))),
    }


def words_of(question: str) -> list[str]:
    """Return the words of what somebody looks for; everything that is no letter or digit only parts them."""
    return [word[:LONGEST_WORD] for word in _WORD.findall(folded(question.replace("\x00", "\ufffd")))][:MOST_WORDS]


def as_line(text: str) -> str:
    """Return text to be compared as one line: neither letter case nor the kind of spaces counts.

    What somebody looks for can so never reach from one line of a fact into the next.
    """
    return " ".join(folded(text).split())


def _lines(texts: Iterable[str | None]) -> str:
    return "\n".join(dict.fromkeys(as_line(text) for text in texts if text))[:MAX_LINES]


def _objective(objective: Document) -> list[str]:
    """Return what an objective is known by: its name, ``63x``, ``NA 1.4``, its immersion."""
    magnification, aperture = objective.get("magnification"), objective.get("numerical_aperture")
    given = [
        objective.get("name"),
        f"{magnification:g}x" if magnification else None,
        f"NA {aperture:g}" if aperture else None,
        objective.get("immersion"),
        objective.get("correction"),
    ]
    return [str(text) for text in given if text]


def _pixels(document: Document) -> int:
    sizes = (document.get(name) or 1 for name in ("size_t", "size_c", "size_z", "size_y", "size_x", "samples"))
    return min(math.prod(int(size) for size in sizes), _LARGEST)


def _micrometers(size: Document | None) -> float | None:
    """Return a length without the noise of converting units, so that 0.1 is found as 0.1."""
    if not size:
        return None
    return float(f"{size['value'] * MICROMETERS[size.get('unit', 'um')]:.12g}")


def _distinct_words(texts: Iterable[str]) -> Iterator[str]:
    """Yield each word once, in order, within the bounds."""
    seen: set[str] = set()
    left, room = MAX_READ, MAX_TEXT
    for text in texts:
        piece = text[:left]
        left -= len(piece)
        for match in _WORD.finditer(folded(piece.replace("\x00", "\ufffd"))):
            word = match[0][:LONGEST_WORD]
            if word in seen:
                continue
            room -= len(word.encode()) + 1
            if room < 0:
                return
            seen.add(word)
            yield word
        if not left:
            return


def _texts(vendor: Document) -> Iterator[str]:
    """Yield the texts and whole numbers of a document, in its order; lists of numbers are measurements, not words."""
    waiting: list[Any] = [vendor]
    for _ in range(MAX_VALUES):
        if not waiting:
            return
        value = waiting.pop()
        match value:
            case str():
                yield value
            case bool():
                continue
            case int():
                # every number has an end; text of longer ones is refused by Python itself
                if abs(value) <= _LARGEST:
                    yield str(value)
            case Mapping():
                waiting += reversed(list(value.values()))
            case list() | tuple():
                waiting += reversed([item for item in value if not isinstance(item, int | float)])
            case _:
                continue
